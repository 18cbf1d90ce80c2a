"""``python -m training``."""

if __name__ == "__main__":
    from training.cli.commands import main  # not in the processes that draw portraits

    main()
