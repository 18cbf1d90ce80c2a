import pytest

from app.operations.expression import MAX_LENGTH, ExpressionError, Term, parse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("me", [(1, "me")]),
        ("-me", [(-1, "me")]),
        ("+me", [(1, "me")]),
        ("men - women + her", [(1, "men"), (-1, "women"), (1, "her")]),
        ("0.4*dark + 0.6*light", [(0.4, "dark"), (0.6, "light")]),
        ("me + 1.5*glasses", [(1, "me"), (1.5, "glasses")]),
        ("-.5*a-2.*b", [(-0.5, "a"), (-2, "b")]),
        (" \n a\t-\u00a0b ", [(1, "a"), (-1, "b")]),  # no-break spaces come with pasted text
        ("a - 2*a", [(1, "a"), (-2, "a")]),
        ("x_1 + X2", [(1, "x_1"), (1, "X2")]),
        ("1*a1e5", [(1, "a1e5")]),
    ],
)
def test_sums(text: str, terms: list[tuple[float, str]]) -> None:
    assert parse(text) == [Term(weight, name) for weight, name in terms]


def test_functions_have_the_name_of_an_operand_as_argument() -> None:
    terms = parse("her + 1.5*glasses(worn) -smile ( \n b_2 )- a")
    assert terms == [
        Term(1, "her"),
        Term(1.5, "glasses", "worn"),
        Term(-1, "smile", "b_2"),
        Term(-1, "a"),
    ]
    assert [term.position for term in terms] == [1, 11, 26, 43]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["a name", "character 1", "the end"]),
        ("   ", ["a name", "the end"]),
        ("a +", ["a name", "character 4", "the end"]),
        ("a + + b", ["a name", "character 5", "'+'"]),
        ("a b", ["'+' or '-'", "character 3", "'b'"]),
        ("2", ["'*' after the weight", "character 2", "the end"]),
        ("2 a", ["'*' after the weight", "character 3", "'a'"]),
        ("a*2", ["'+' or '-'", "character 2", "'*'"]),
        ("2*3*a", ["a name", "character 3", "'3'"]),
        ("1e5*a", ["'*' after the weight", "character 2", "'e5'"]),
        ("1.2.3*a", ["'*' after the weight", "character 4", "'.3'"]),
        ("_a", ["unexpected '_'", "character 1"]),
        ("(a)", ["a name", "character 1", "'('"]),
        ("2*(a)", ["a name", "character 3", "'('"]),
        ("a)", ["'+' or '-'", "character 2", "')'"]),
        ("f(a", ["')' after 'f(a'", "character 4", "the end"]),
        ("f(a + b)", ["')' after 'f(a'", "character 5", "'+'"]),
        ("f(g(a))", ["')' after 'f(g'", "character 4", "'('"]),
        ("f(", ["the name of an operand in 'f(...)'", "character 3", "the end"]),
        ("f()", ["the name of an operand in 'f(...)'", "character 3", "')'"]),
        ("f(2*a)", ["the name of an operand in 'f(...)'", "character 3", "'2'"]),
        ("f(a)(b)", ["'+' or '-'", "character 5", "'('"]),
        ("f(a) b", ["'+' or '-'", "character 6", "'b'"]),
        ("a  / b", ["unexpected '/'", "character 4"]),
        ("a\u00a0/ b", ["unexpected '/'", "character 3"]),
        ("brülle", ["unexpected 'ü'", "character 3"]),
        ("\u0661*a", ["unexpected '\u0661'", "character 1"]),  # a digit, but not one of ours
        ("a" * (MAX_LENGTH + 1), [str(MAX_LENGTH), str(MAX_LENGTH + 1)]),
    ],
)
def test_what_is_no_sum_is_told_the_place(text: str, words: list[str]) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    for word in words:
        assert word in str(refused.value)


def test_the_longest_expression_is_read() -> None:
    text = "+".join("a" for _ in range(MAX_LENGTH // 2))
    assert len(parse(text)) == MAX_LENGTH // 2
