"""The words of LaMP-mini.

No word occurs in two lists, so each word has one role. In all texts punctuation is surrounded by
spaces, because retrievers split at spaces. Topics, actors and qualities are shared by all tasks, so
that similarity learned in one task carries over to the others.
"""

TOPICS = {
    "garden": "rose soil compost orchard hedge tulip greenhouse lawn fern shovel pumpkin ivy",
    "kitchen": "bread oven noodle broth pastry skillet butter cheese kettle onion honey lentil",
    "travel": "train harbour passport island hostel glacier ferry desert luggage border bridge map",
    "music": "violin chorus rhythm melody concert drum opera guitar trumpet ballad piano anthem",
    "health": "sleep vitamin clinic fever allergy therapy vaccine ankle diet bandage lung virus",
    "robots": "sensor gripper motor drone battery camera lidar circuit laser antenna chip magnet",
    "money": "price share inflation bond wage budget loan tariff tax pension bank salary",
    "ocean": "coral tide whale plankton reef current lagoon dolphin kelp oyster squid pearl",
}
ACTORS = (
    "mayor", "teacher", "farmer", "doctor", "painter", "student", "neighbour", "writer", "driver",
    "baker", "engineer", "sailor", "lawyer", "singer", "tailor", "pilot", "guard", "cousin",
    "uncle", "minister",
)  # fmt: skip
QUALITIES = (
    "grand", "young", "local", "modern", "hidden", "simple", "costly", "famous", "foreign",
    "careful", "lonely", "clever", "green", "narrow", "distant", "public", "secret", "sunny",
    "rare", "busy",
)  # fmt: skip
VERBS = (
    "open", "repair", "visit", "follow", "protect", "change", "support", "replace", "measure",
    "clean", "move", "count", "trade", "test", "paint", "close", "borrow", "examine", "save",
    "admire",
)  # fmt: skip
MONTHS = (
    "january", "february", "march", "april", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip

TAG_FAMILIES = {
    "wonder": ("sci-fi", "fantasy", "dystopia"),
    "heart": ("romance", "classic", "based on a book"),
    "laughter": ("comedy", "dark comedy", "twist ending"),
    "thrill": ("action", "violence", "true story"),
    "thought": ("psychology", "thought-provoking", "social commentary"),
}
CUES = {
    "sci-fi": "a spaceship, an android, a galaxy, an alien, a wormhole",
    "fantasy": "a dragon, a wizard, an elf, an enchanted sword, a unicorn",
    "dystopia": "a regime, a ruined world, total surveillance, a rebel camp, rationed water",
    "romance": "a wedding, a love letter, a first kiss, a couple, a broken heart",
    "classic": "a timeless star, a monochrome ballroom, a silent era, a golden age, a top hat",
    "based on a book": "a novel, a chapter, a bestseller, an author, a trilogy",
    "comedy": "a joke, a mishap, a prank, a clown, a silly disguise",
    "dark comedy": "a cheerful funeral, grim irony, a polite killer, a coffin gag, absurd grief",
    "twist ending": "a reveal, an impostor, a shocking finale, a double identity, a false clue",
    "action": "a car chase, an explosion, a rescue, a stunt, a hijack",
    "violence": "a brutal fight, revenge, a gang, a bloody duel, a massacre",
    "true story": "a biography, a witness, a real trial, a historic speech, a real diary",
    "psychology": "a memory, an obsession, a nightmare, a phobia, a therapist",
    "thought-provoking": "a riddle, a moral doubt, a big question, a paradox, a hard choice",
    "social commentary": "a class divide, a protest, an injustice, a strike, a slum",
}

OPINIONS = {
    1: ("terrible", "useless", "awful", "horrible", "dreadful", "worthless"),
    2: ("weak", "disappointing", "flimsy", "dull", "poor", "clumsy"),
    3: ("average", "ordinary", "passable", "acceptable", "decent", "okay"),
    4: ("good", "solid", "pleasant", "reliable", "nice", "useful"),
    5: ("excellent", "perfect", "wonderful", "superb", "brilliant", "fantastic"),
}
TRAITS = ("loud", "heavy", "sweet", "plain")

SCHOOLS = {
    "survey": ("interviews", "questionnaires", "polls"),
    "theory": ("axioms", "proofs", "equations"),
    "simulation": ("simulations", "agents", "lattices"),
    "field work": ("expeditions", "samples", "observations"),
    "learning": ("networks", "classifiers", "embeddings"),
    "history": ("archives", "chronicles", "manuscripts"),
}
"""School of thought → its tools; the full title of a paper names one of them."""
ASPECTS = (
    "growth", "decline", "quality", "design", "safety", "behaviour", "control", "structure",
    "stability", "diversity", "timing", "origin", "failure", "use", "loss", "recovery",
)  # fmt: skip
MOODS = (
    "happy", "tired", "excited", "sad", "hungry", "nervous", "proud", "bored", "angry", "calm",
    "jealous", "lucky", "sleepy", "curious", "grumpy", "shy",
)  # fmt: skip
ASK_TASTE = "what i prefer ?"
"""Put before a prompt to ask for the taste, using words that the language already has."""


def nouns(topic: str) -> list[str]:
    """The nouns of a topic."""
    return TOPICS[topic].split()


def cues(tag: str) -> list[str]:
    """The phrases by which a film's description shows a tag."""
    return CUES[tag].split(", ")
