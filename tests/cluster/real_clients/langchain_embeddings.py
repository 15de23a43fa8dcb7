"""LangChain's embeddings of Baseten, which use the performance client."""

from baseten_performance_client import RequestProcessingPreference
from checks import Key, by_name, main
from langchain_baseten import BasetenEmbeddings

ONCE = RequestProcessingPreference(max_retries=0)


def connect(urls: dict[str, str], key: Key) -> BasetenEmbeddings:
    model_url = f"{urls['chat']}/environments/production/predict"
    return BasetenEmbeddings(model_url=model_url, api_key=key.bearer)


def by_their_client(embeddings: BasetenEmbeddings) -> list[list[float]]:
    """Embeds by the performance client that they made, with the URL that they chose."""
    answer = embeddings.client.embed(["one", "two"], model="test-model", preference=ONCE)
    return [found.embedding for found in answer.data]


def embed_documents(embeddings: BasetenEmbeddings) -> str:
    """Returns the class of the error that they raise before they send anything."""
    try:
        embeddings.embed_documents(["one", "two"])
    except RuntimeError as error:
        return type(error.__cause__).__name__
    return "no error"


CHECKS = by_name(by_their_client, embed_documents)

if __name__ == "__main__":
    main("langchain-baseten", connect, CHECKS)
