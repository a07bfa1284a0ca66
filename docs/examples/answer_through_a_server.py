"""A plug and a served LLM: answer_through_a_server.py PLUG LLM_FOLDER ENDPOINT MODEL."""

import sys

from methods.models.opening import load_llm
from methods.prefix.deploy import DeployedPlug
from tasks.lamp import LaMP3

plug_folder, llm_folder, endpoint, model = sys.argv[1:]
served = {"dialect": "vllm", "weights": llm_folder, "prompt_embeds": True}
llm = load_llm(model, endpoint=endpoint, served=served)
plug = DeployedPlug.from_pretrained(plug_folder, llm)
past = ["Stopped working after a week.", "Lovely colour, I use it every day.", "Too small."]
prompt = f"{LaMP3.instruction} It does what it says, a little loudly."
print(plug.respond(prompt, past))
