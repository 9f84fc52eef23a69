"""Records what ChatSession of google-cloud-aiplatform 1.92.0 sends for conversation.json, and how it reads answers.

    pip install google-cloud-aiplatform==1.92.0 && python record.py

Only the gRPC clients are replaced; everything above them is the library's. Nothing is sent anywhere.
"""

import dataclasses
import json
import pathlib
from unittest import mock

from google.auth import credentials
from google.cloud import aiplatform
from google.cloud.aiplatform import _streaming_prediction
from google.cloud.aiplatform_v1.services.model_garden_service import ModelGardenServiceClient
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
from google.cloud.aiplatform_v1.types import prediction_service, publisher_model
from google.cloud.aiplatform_v1beta1.services.prediction_service import PredictionServiceClient as BetaClient
from google.cloud.aiplatform_v1beta1.types import prediction_service as beta_service
from google.protobuf import json_format
from vertexai.language_models import GroundingSource
from vertexai.preview.language_models import ChatMessage, ChatModel, InputOutputTextPair

assert aiplatform.__version__ == "1.92.0"
FOLDER = pathlib.Path(__file__).parent
CONVERSATION = json.loads((FOLDER / "conversation.json").read_text())
SCHEMA = "gs://google-cloud-aiplatform/schema/predict/instance/chat_generation_1.0.0.yaml"
BISON = publisher_model.PublisherModel(
    name="publishers/google/models/chat-bison",
    publisher_model_template="projects/{user-project}/locations/{location}/publishers/google/models/chat-bison@001",
    predict_schemata={"instance_schema_uri": SCHEMA},
)
NAMES = {
    "maxOutputTokens": "max_output_tokens",
    "temperature": "temperature",
    "topK": "top_k",
    "topP": "top_p",
    "stopSequences": "stop_sequences",
    "candidateCount": "candidate_count",
}

sent = []


def plain(message):
    return json_format.MessageToDict(message) if hasattr(message, "DESCRIPTOR") else message


def response(prediction):
    message = prediction_service.PredictResponse()
    message.predictions.append(prediction)
    return message


def predict(self, *, endpoint, instances, parameters, **_):
    sent.append({"instances": [plain(instance) for instance in instances], "parameters": plain(parameters)})
    candidate = {"author": "1", "content": f"Chat response {len(sent)}"}
    return response({"candidates": [candidate], "safetyAttributes": [{"blocked": False}]})


def stream(self, request, **_):
    body = plain(request._pb)
    del body["endpoint"]  # part of the URL in REST
    sent.append(body)
    for content in ("Chat response ", str(len(sent))):
        chunk = {"candidates": [{"author": "1", "content": content}], "safetyAttributes": [{"blocked": False}]}
        tensor = _streaming_prediction.value_to_tensor(chunk)
        yield prediction_service.StreamingPredictResponse(outputs=[tensor])


def count_tokens(self, *, endpoint, instances, **_):
    sent.append({"instances": [plain(instance) for instance in instances]})
    return beta_service.CountTokensResponse(total_tokens=5, total_billable_characters=25)


def arguments(fields):
    named = {NAMES[name]: value for name, value in fields.items() if name in NAMES}
    if "context" in fields:
        named["context"] = fields["context"]
    if "examples" in fields:
        named["examples"] = [InputOutputTextPair(pair["input"], pair["output"]) for pair in fields["examples"]]
    if "messageHistory" in fields:
        named["message_history"] = [ChatMessage(said["content"], said["author"]) for said in fields["messageHistory"]]
    match fields.get("groundingSource"):
        case {"type": "webSearch", **rest}:
            named["grounding_source"] = GroundingSource.WebSearch(rest.get("disableAttribution", False))
        case {"type": "vertexAiSearch", **rest}:
            named["grounding_source"] = GroundingSource.VertexAISearch(
                data_store_id=rest["dataStoreId"],
                location=rest["location"],
                project=rest.get("project"),
                disable_attribution=rest.get("disableAttribution", False),
            )
        case {"type": "inlineContext", "inlineContext": text}:
            named["grounding_source"] = GroundingSource.InlineContext(inline_context=text)
    return named


def write(name, value):
    (FOLDER / f"{name}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def record_requests(model):
    chat = model.start_chat(**arguments(CONVERSATION["session"]))
    counted = model.start_chat(**arguments(CONVERSATION["session"]))
    for step in CONVERSATION["sends"]:
        session = model.start_chat() if step.get("isNewSession") else chat
        message = step["send"]["message"]
        if step.get("isStream"):
            list(session.send_message_streaming(message, **arguments(step["send"])))
        else:
            session.send_message(message, **arguments(step["send"]))
        write(step["name"], sent[-1])
    counted.count_tokens("Are my favorite movies based on a book series?")
    write("14-count-tokens", sent[-1])


def record_answers(model):
    """Adds to every file of answers/ how the seed reads the prediction in it."""
    for path in sorted((FOLDER / "answers").glob("*.json")):
        answer = json.loads(path.read_text())
        with mock.patch.object(PredictionServiceClient, "predict", return_value=response(answer["prediction"])):
            read = model.start_chat().send_message("Hello")
        answer["read"] = [
            {
                "text": candidate.text,
                "is_blocked": candidate.is_blocked,
                "errors": candidate.errors,
                "safety_attributes": candidate.safety_attributes,
                "grounding_metadata": dataclasses.asdict(candidate.grounding_metadata),
            }
            for candidate in (read, *read.candidates)
        ]
        write(f"answers/{path.stem}", answer)


aiplatform.init(project="test-project", location="us-central1", credentials=credentials.AnonymousCredentials())
with (
    mock.patch.object(ModelGardenServiceClient, "get_publisher_model", return_value=BISON),
    mock.patch.object(PredictionServiceClient, "predict", predict),
    mock.patch.object(PredictionServiceClient, "server_streaming_predict", stream),
    mock.patch.object(BetaClient, "count_tokens", count_tokens),
):
    bison = ChatModel.from_pretrained("chat-bison@001")
    record_requests(bison)
    record_answers(bison)
