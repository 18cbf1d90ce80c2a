/** Writes the address of the page, not more often than browsers allow. */

const DELAY_MS = 250;

export class AddressWriter {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private fragment: string | undefined;

  /** @param write puts a fragment in place of the one that is there. */
  constructor(private readonly write: (fragment: string) => void) {}

  /** Write a fragment a moment later, unless another one comes before. */
  schedule(fragment: string): void {
    this.fragment = fragment;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), DELAY_MS);
  }

  /** Write what is scheduled now. */
  flush(): void {
    clearTimeout(this.timer);
    const { fragment } = this;
    this.fragment = undefined;
    if (fragment !== undefined) this.write(fragment);
  }
}
