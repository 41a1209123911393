"""One operation through either API, and its outcome in the words of the domain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import httpx

from tests.support.graphql.graphql_documents import CREATE, DELETE, LIST, ONE, UPDATE, destination_id

Values = Mapping[str, Any]
"""Attributes and what is given for them; what is left out is not given."""
Shown = dict[str, Any]
"""A destination as an API shows it; an API may show less than there is."""
Outcome = Shown | str | dict[str, str]
"""A destination; a sentence; or the broken rules, attribute to sentence, with the summary under `""`."""

DELETED = "deleted"
_SENTENCE = re.compile(r"The (.+) field (.+)")
_KIND = re.compile(r"when (?:type|the kind) is (\w+)")


class Api(Protocol):
    """One protocol, spoken by one user."""

    def create(self, kind: str, values: Values) -> Outcome: ...

    def update(self, id_: int, values: Values) -> Outcome: ...

    def delete(self, id_: int) -> Outcome: ...

    def show(self, id_: int) -> Outcome: ...

    def list(self) -> list[Shown]: ...


def neutral(sentence: str, fields: Mapping[str, str], kinds: Mapping[str, str]) -> tuple[str, str]:
    """The attribute a sentence is about, and the sentence in the domain's names; an API's are `fields` and `kinds`."""
    match = _SENTENCE.fullmatch(sentence)
    assert match is not None, sentence
    attribute = fields[match[1]]
    return attribute, f"The {attribute} field {_KIND.sub(lambda kind: f'when type is {kinds[kind[1]]}', match[2])}"


def broken(sentences: list[str], summary: str, fields: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, str]:
    """The broken rules in words of the domain; the summary is the first and how many there are besides."""
    more = len(sentences) - 1
    tail = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    assert summary == sentences[0] + tail
    rules = dict(neutral(sentence, fields, kinds) for sentence in sentences)
    return {"": next(iter(rules.values())) + tail, **rules}


class RestApi:
    """The documented endpoints."""

    FIELDS: ClassVar[dict[str, str]] = {
        "label": "label",
        "access_key": "s3_access_key",
        "secret_key": "s3_secret_key",
        "bucket_name": "s3_bucket_name",
        "region": "custom_s3_region",
        "endpoint": "custom_s3_endpoint",
        "path_style_endpoint": "path_style_endpoint",
    }
    KINDS: ClassVar[dict[str, str]] = {"amazon_s3": "s3", "custom_s3": "custom_s3", "local": "local"}
    SHOWN: ClassVar[dict[str, str]] = {
        "id": "id",
        "label": "label",
        "type_human": "kind_name",
        "created_at": "created",
        "updated_at": "updated",
        "s3_bucket_name": "bucket_name",
        "s3_region": "region",
        "s3_endpoint": "endpoint",
        "path_style_endpoint": "path_style_endpoint",
    }

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def create(self, kind: str, values: Values) -> Outcome:
        return self._ask("POST", "", {"type": self.KINDS[kind], **self._body(values)})

    def update(self, id_: int, values: Values) -> Outcome:
        return self._ask("PUT", f"/{id_}", self._body(values))

    def delete(self, id_: int) -> Outcome:
        return self._ask("DELETE", f"/{id_}")

    def show(self, id_: int) -> Outcome:
        return self._ask("GET", f"/{id_}")

    def list(self) -> list[Shown]:
        answer = self._client.get("/api/backup-destinations", params={"per_page": 100}).json()
        assert answer["meta"]["total"] == len(answer["data"])
        return [self._shown(data) for data in answer["data"]]

    def _body(self, values: Values) -> dict[str, Any]:
        body = {self.FIELDS[attribute]: value for attribute, value in values.items() if attribute in self.FIELDS}
        return body | ({"type": self.KINDS[values["kind"]]} if "kind" in values else {})

    def _shown(self, data: Mapping[str, Any]) -> Shown:
        return {name: data[field] for field, name in self.SHOWN.items() if field in data}

    def _ask(self, method: str, path: str, body: Any = None) -> Outcome:
        answer = self._client.request(method, f"/api/backup-destinations{path}", json=body)
        content = answer.json()
        if "data" in content:
            return self._shown(content["data"])
        if "errors" in content:
            fields = {name.replace("_", " "): attribute for attribute, name in self.FIELDS.items()}
            kinds = {name: kind for kind, name in self.KINDS.items()}
            sentences = [sentence for of_field in content["errors"].values() for sentence in of_field]
            return broken(sentences, content["message"], fields, kinds)
        message: str = content["message"]
        return DELETED if answer.is_success else message


class GraphQLApi:
    """The mutations and queries."""

    FIELDS: ClassVar[dict[str, str]] = {
        "label": "label",
        "access_key": "access key",
        "secret_key": "secret key",
        "bucket_name": "bucket name",
        "region": "region",
        "endpoint": "endpoint",
        "path_style_endpoint": "path style endpoint",
    }
    KINDS: ClassVar[dict[str, str]] = {"amazon_s3": "amazonS3", "custom_s3": "customS3", "local": "local"}
    SHOWN: ClassVar[dict[str, str]] = {
        "databaseId": "id",
        "label": "label",
        "kindName": "kind_name",
        "createdAt": "created",
        "updatedAt": "updated",
        "bucketName": "bucket_name",
        "region": "region",
        "endpoint": "endpoint",
        "pathStyleEndpoint": "path_style_endpoint",
    }

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def create(self, kind: str, values: Values) -> Outcome:
        return self._act(CREATE, {"input": {self.KINDS[kind]: self._input(values)}})

    def update(self, id_: int, values: Values) -> Outcome:
        return self._act(UPDATE, {"id": destination_id(id_), "input": self._input(values)})

    def delete(self, id_: int) -> Outcome:
        return self._act(DELETE, {"id": destination_id(id_)})

    def show(self, id_: int) -> Outcome:
        answer = self._post(ONE, {"id": destination_id(id_)})
        if "errors" in answer:
            return str(answer["errors"][0]["message"])
        found = answer["data"]["backupDestination"]
        return "null" if found is None else self._shown(found)

    def list(self) -> list[Shown]:
        found = self._post(LIST, {"first": 100})["data"]["backupDestinations"]
        assert found["totalCount"] == len(found["edges"])
        return [self._shown(edge["node"]) for edge in found["edges"]]

    def _input(self, values: Values) -> dict[str, Any]:
        """Both keys are one input object, and null both at once."""
        words = {attribute: re.sub(r"_(.)", lambda m: m[1].upper(), attribute) for attribute in self.FIELDS}
        keys = {words[a]: values[a] for a in ("access_key", "secret_key") if a in values}
        flat = {words[a]: value for a, value in values.items() if words[a] not in keys}
        return flat | ({"credentials": keys if any(v is not None for v in keys.values()) else None} if keys else {})

    def _shown(self, data: Mapping[str, Any]) -> Shown:
        return {name: data[field] for field, name in self.SHOWN.items() if field in data}

    def _act(self, query: str, variables: Mapping[str, Any]) -> Outcome:
        answer = self._post(query, variables)
        if "errors" in answer:
            return str(answer["errors"][0]["message"])
        result = answer["data"]["result"]
        if result["__typename"] == "ValidationProblem":
            fields = {words: attribute for attribute, words in self.FIELDS.items()}
            kinds = {kind.upper(): kind for kind in self.KINDS}
            return broken([v["message"] for v in result["violations"]], result["message"], fields, kinds)
        if "message" in result:
            return str(result["message"])
        return DELETED if "deletedId" in result else self._shown(result["backupDestination"])

    def _post(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        return answer
