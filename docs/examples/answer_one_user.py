"""A trained LaMP-3 plug answers for one user: answer_one_user.py PLUG_FOLDER LLM_FOLDER."""

import sys

from methods.models.opening import load_llm
from methods.prefix.deploy import DeployedPlug
from tasks import Behavior
from tasks.lamp import LaMP3

plug_folder, llm_folder = sys.argv[1:]
plug = DeployedPlug.from_pretrained(plug_folder, load_llm(llm_folder))
past = [Behavior(id="1", text="It squeaks.", content="It squeaks.", response="2")]
prompt = f"{LaMP3.instruction} It does what it says, a little loudly."
print(plug.respond(prompt, past))
