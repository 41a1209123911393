"""The syntax tree of a document, made of the tokens that were scanned: as graphql-core's parser makes it, in a third of
the time, so that a document can be refused soon.

Nodes are made without their `__init__`, which sets one attribute after the other, and know their places but not the
tokens there. The grammar is that of executable documents (GraphQL, section 2); definitions of types are graphql-core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import TypeVar

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    Location,
    NamedTypeNode,
    NameNode,
    Node,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    Source,
    StringValueNode,
    Token,
    TokenKind,
    TypeNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)
from graphql.language.parser import MAX_NESTING_DEPTH, Parser, get_token_desc, get_token_kind_desc

from schema.documents.document_limits import require_at_most
from schema.documents.lexer import PLAIN, SIMPLE, TokenLexer

MAX_TOKENS_OF_TYPES = 300
"""Of a document that defines types, which is refused for it; graphql-core's parser reads it."""
_END = " "
"""In the place of a token behind the last: no token is a space."""
_LETTERS = frozenset("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BEHIND_A_NAME = frozenset("(@{")
_OPERATIONS = {each.value: each for each in OperationType}
_OF_TYPES = frozenset({"schema", "scalar", "type", "interface", "union", "enum", "input", "directive", "extend"})
_new = object.__new__
_Made = TypeVar("_Made", bound=Node)
_Each = TypeVar("_Each")


class DefinesTypes(Exception):
    """A document has a definition that is no operation and no fragment."""


def parse_tokens(source: Source, tokens: Sequence[str], starts: Sequence[int]) -> DocumentNode:
    """The document of these tokens, comments left out, and the places at which they start.

    Raises `GraphQLSyntaxError`, and `LimitExceeded` for one that defines types and is long.
    """
    try:
        return _Parser(source, tokens, starts).document()
    except DefinesTypes:
        require_at_most(len(tokens), MAX_TOKENS_OF_TYPES, "tokens, and defines types")
    parser = Parser(source, lexer=TokenLexer(source))
    try:
        return parser.parse_document()
    except RecursionError:
        lexer = parser._lexer
    raise GraphQLSyntaxError(source, lexer.token.start, "Document is nested too deeply.")


class _Place(Location):
    """Where a node is, without the tokens at its ends."""

    __slots__ = ()

    def __init__(self, start: int, end: int, source: Source) -> None:
        self.start = start
        self.end = end
        self.source = source


def _make(kind: type[_Made], **values: object) -> _Made:
    """A node; attributes that are left out are what the class says."""
    made = _new(kind)
    made.__dict__.update(values)
    return made


class _Parser:
    """Reads one document from its first token to its last; `_at` is the number of the next one."""

    __slots__ = ("_at", "_level", "_source", "_starts", "_tokens")

    def __init__(self, source: Source, tokens: Sequence[str], starts: Sequence[int]) -> None:
        self._source = source
        self._tokens = [*tokens, _END]
        self._starts = [*starts, len(source.body)]
        self._at = 0
        self._level = 0

    def document(self) -> DocumentNode:
        """All definitions."""
        definitions = [self._definition()]
        while self._tokens[self._at] != _END:
            definitions.append(self._definition())
        place = _Place(0, len(self._source.body), self._source)
        return _make(DocumentNode, definitions=tuple(definitions), loc=place)

    def _definition(self) -> DefinitionNode:
        tokens, first = self._tokens, self._at
        description = self._description()
        keyword = tokens[self._at]
        if keyword == "{":
            if description is not None:
                message = "Unexpected description, descriptions are not supported on shorthand queries."
                raise GraphQLSyntaxError(self._source, self._starts[first], message)
            selections = self._selection_set()
            return _make(
                OperationDefinitionNode,
                operation=OperationType.QUERY,
                description=None,
                name=None,
                variable_definitions=None,
                directives=None,
                selection_set=selections,
                loc=self._place(first),
            )
        operation = _OPERATIONS.get(keyword)
        if operation is not None:
            self._at += 1
            return _make(
                OperationDefinitionNode,
                operation=operation,
                description=description,
                name=self._name() if tokens[self._at][0] in _LETTERS else None,
                variable_definitions=self._several("(", self._variable_definition, ")"),
                directives=self._directives(is_const=False),
                selection_set=self._selection_set(),
                loc=self._place(first),
            )
        if keyword == "fragment":
            self._at += 1
            return self._fragment_definition(first, description)
        token = self._token(self._at)
        if keyword in _OF_TYPES and (description is None or keyword != "extend"):
            raise DefinesTypes
        if token.kind is TokenKind.NAME and description is not None:
            message = "Unexpected description, only GraphQL definitions support descriptions."
            raise GraphQLSyntaxError(self._source, self._starts[first], message)
        raise self._unexpected(self._at)

    def _fragment_definition(self, first: int, description: StringValueNode | None) -> FragmentDefinitionNode:
        if self._tokens[self._at] == "on":
            raise self._unexpected(self._at)
        name = self._name()
        if self._tokens[self._at] != "on":
            raise self._expected(self._at, "'on'")
        self._at += 1
        return _make(
            FragmentDefinitionNode,
            description=description,
            name=name,
            variable_definitions=(),
            type_condition=self._named_type(),
            directives=self._directives(is_const=False),
            selection_set=self._selection_set(),
            loc=self._place(first),
        )

    def _variable_definition(self) -> VariableDefinitionNode:
        first = self._at
        description = self._description()
        variable = self._variable()
        self._require(":", TokenKind.COLON)
        type_ = self._type()
        default = None
        if self._tokens[self._at] == "=":
            self._at += 1
            default = self._value(is_const=True)
        return _make(
            VariableDefinitionNode,
            description=description,
            variable=variable,
            type=type_,
            default_value=default,
            directives=self._directives(is_const=True),
            loc=self._place(first),
        )

    def _selection_set(self) -> SelectionSetNode:
        """The selections between braces, which begin here; there may be none."""
        tokens, starts, source = self._tokens, self._starts, self._source
        first = at = self._at
        self._nest()
        if tokens[at] != "{":
            raise self._expected(at, TokenKind.BRACE_L)
        at += 1
        selections: list[SelectionNode] = []
        while True:
            symbol = tokens[at]
            if symbol[0] in _LETTERS:
                start = starts[at]
                place = _Place(start, start + len(symbol), source)
                name = _new(NameNode)
                values = name.__dict__
                values["loc"] = place
                values["value"] = symbol
                at += 1
                following = tokens[at]
                if following == ":" or following in _BEHIND_A_NAME:
                    self._at = at
                    selections.append(self._field_behind(name, start))
                    at = self._at
                    continue
                field = _new(FieldNode)
                field.__dict__.update(
                    alias=None, name=name, arguments=None, directives=None, selection_set=None, loc=place
                )
                selections.append(field)
            elif symbol == "}":
                break
            else:
                self._at = at
                if symbol != "...":
                    raise self._expected(at, TokenKind.NAME)
                selections.append(self._fragment())
                at = self._at
        self._at = at + 1
        self._level -= 1
        place = _Place(starts[first], starts[at] + 1, source)
        return _make(SelectionSetNode, selections=tuple(selections), loc=place)

    def _field_behind(self, name: NameNode, start: int) -> FieldNode:
        """A field by its first name, with what follows that."""
        alias = None
        if self._tokens[self._at] == ":":
            self._at += 1
            alias, name = name, self._name()
        arguments = self._arguments(is_const=False)
        directives = self._directives(is_const=False)
        selections = self._selection_set() if self._tokens[self._at] == "{" else None
        last = self._at - 1
        place = _Place(start, self._starts[last] + len(self._tokens[last]), self._source)
        return _make(
            FieldNode,
            alias=alias,
            name=name,
            arguments=arguments,
            directives=directives,
            selection_set=selections,
            loc=place,
        )

    def _fragment(self) -> FragmentSpreadNode | InlineFragmentNode:
        """Three dots with what follows them."""
        first = self._at
        self._at += 1
        symbol = self._tokens[self._at]
        condition = None
        if symbol[0] in _LETTERS:
            if symbol != "on":
                name = self._name()
                directives = self._directives(is_const=False)
                return _make(
                    FragmentSpreadNode, name=name, arguments=None, directives=directives, loc=self._place(first)
                )
            self._at += 1
            condition = self._named_type()
        directives = self._directives(is_const=False)
        selections = self._selection_set()
        return _make(
            InlineFragmentNode,
            type_condition=condition,
            directives=directives,
            selection_set=selections,
            loc=self._place(first),
        )

    def _arguments(self, *, is_const: bool) -> tuple[ArgumentNode, ...] | None:
        return self._several("(", lambda: self._argument(ArgumentNode, is_const=is_const), ")")

    def _argument(self, kind: type[_Made], *, is_const: bool) -> _Made:
        """An argument, or the field of an input object."""
        first = self._at
        name = self._name()
        self._require(":", TokenKind.COLON)
        return _make(kind, name=name, value=self._value(is_const=is_const), loc=self._place(first))

    def _directives(self, *, is_const: bool) -> tuple[DirectiveNode, ...] | None:
        directives: list[DirectiveNode] = []
        while self._tokens[self._at] == "@":
            first = self._at
            self._at += 1
            name, arguments = self._name(), self._arguments(is_const=is_const)
            directives.append(_make(DirectiveNode, name=name, arguments=arguments, loc=self._place(first)))
        return tuple(directives) if directives else None

    def _value(self, *, is_const: bool) -> ValueNode:
        at, symbol = self._at, self._tokens[self._at]
        letter = symbol[0]
        if letter in _LETTERS:
            self._at += 1
            place = self._place(at)
            if symbol in ("true", "false"):
                return _make(BooleanValueNode, value=symbol == "true", loc=place)
            return (
                _make(NullValueNode, loc=place) if symbol == "null" else _make(EnumValueNode, value=symbol, loc=place)
            )
        if letter == '"':
            return self._string()
        if letter == "$":
            return self._no_variable() if is_const else self._variable()
        if letter in "[{":
            return self._list_or_object(letter, is_const=is_const)
        if letter not in "-0123456789":
            raise self._unexpected(at)
        kind = self._token(at).kind  # raises for what is no number
        self._at += 1
        return _make(IntValueNode if kind is TokenKind.INT else FloatValueNode, value=symbol, loc=self._place(at))

    def _list_or_object(self, opening: str, *, is_const: bool) -> ListValueNode | ObjectValueNode:
        first = self._at
        self._nest()
        self._at += 1
        closing = "]" if opening == "[" else "}"
        found: list[Node] = []
        while self._tokens[self._at] != closing:
            if opening == "[":
                found.append(self._value(is_const=is_const))
            else:
                found.append(self._argument(ObjectFieldNode, is_const=is_const))
        self._at += 1
        self._level -= 1
        place = self._place(first)
        if opening == "[":
            return _make(ListValueNode, values=tuple(found), loc=place)
        return _make(ObjectValueNode, fields=tuple(found), loc=place)

    def _string(self) -> StringValueNode:
        at, token = self._at, self._tokens[self._at]
        is_block = False
        if SIMPLE.fullmatch(token) is not None:
            value = token[1:-1]
        elif PLAIN.fullmatch(token) is not None:
            value = scanstring(token, 1)[0]
        else:
            read = self._token(at)
            value, is_block = read.value or "", read.kind is TokenKind.BLOCK_STRING
        self._at += 1
        return _make(StringValueNode, value=value, block=is_block, loc=self._place(at))

    def _description(self) -> StringValueNode | None:
        return self._string() if self._tokens[self._at][0] == '"' else None

    def _variable(self) -> VariableNode:
        first = self._at
        self._require("$", TokenKind.DOLLAR)
        return _make(VariableNode, name=self._name(), loc=self._place(first))

    def _no_variable(self) -> VariableNode:
        """Raise the error for a variable in the default of another."""
        name = self._token(self._at + 1)
        if name.kind is not TokenKind.NAME:
            raise self._unexpected(self._at)
        message = f"Unexpected variable '${name.value}' in constant value."
        raise GraphQLSyntaxError(self._source, self._starts[self._at], message)

    def _type(self) -> TypeNode:
        first = self._at
        type_: NamedTypeNode | ListTypeNode
        if self._tokens[self._at] == "[":
            self._at += 1
            self._nest()
            inner = self._type()
            self._level -= 1
            self._require("]", TokenKind.BRACKET_R)
            type_ = _make(ListTypeNode, type=inner, loc=self._place(first))
        else:
            type_ = self._named_type()
        if self._tokens[self._at] != "!":
            return type_
        self._at += 1
        return _make(NonNullTypeNode, type=type_, loc=self._place(first))

    def _named_type(self) -> NamedTypeNode:
        name = self._name()
        return _make(NamedTypeNode, name=name, loc=name.loc)

    def _name(self) -> NameNode:
        at = self._at
        token = self._tokens[at]
        if token[0] not in _LETTERS:
            raise self._expected(at, TokenKind.NAME)
        self._at = at + 1
        start = self._starts[at]
        return _make(NameNode, value=token, loc=_Place(start, start + len(token), self._source))

    def _several(self, opening: str, read: Callable[[], _Each], closing: str) -> tuple[_Each, ...] | None:
        """What is between brackets, at least one; None where they do not open."""
        tokens = self._tokens
        if tokens[self._at] != opening:
            return None
        self._at += 1
        found = [read()]
        while tokens[self._at] != closing:
            found.append(read())
        self._at += 1
        return tuple(found)

    def _require(self, text: str, kind: TokenKind) -> None:
        """Read a token that has to be here."""
        if self._tokens[self._at] != text:
            raise self._expected(self._at, kind)
        self._at += 1

    def _nest(self) -> None:
        self._level += 1
        if self._level > MAX_NESTING_DEPTH:
            raise GraphQLSyntaxError(self._source, self._token(self._at).start, "Document is nested too deeply.")

    def _place(self, first: int) -> Location:
        """From a token to the last one that was read."""
        last = self._at - 1
        return _Place(self._starts[first], self._starts[last] + len(self._tokens[last]), self._source)

    def _token(self, at: int) -> Token:
        """A token as graphql-core reads it; raises `GraphQLSyntaxError` where it reads none."""
        return TokenLexer(self._source).read_next_token(self._starts[at])

    def _expected(self, at: int, expected: TokenKind | str) -> GraphQLSyntaxError:
        found = self._token(at)
        what = expected if isinstance(expected, str) else get_token_kind_desc(expected)
        return GraphQLSyntaxError(self._source, found.start, f"Expected {what}, found {get_token_desc(found)}.")

    def _unexpected(self, at: int) -> GraphQLSyntaxError:
        found = self._token(at)
        return GraphQLSyntaxError(self._source, found.start, f"Unexpected {get_token_desc(found)}.")
