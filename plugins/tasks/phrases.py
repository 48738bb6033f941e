"""What the language tasks say: sentences for pushing and for picking up, in English and Chinese.

Held-out wordings have other verbs, other nouns or another order of words; colors and sides are named alike in both.
"""

from __future__ import annotations

COLORS = {"english": ("red", "green", "blue"), "chinese": ("红色", "绿色", "蓝色")}
SIDES = {"english": ("left", "right"), "chinese": ("左", "右")}

# by verb, language and wording
PHRASES: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "push": {
        "english": {
            "training": (
                "push the {color} block to the {side} pad",
                "slide the {color} cube onto the {side} pad",
                "move the {color} block to the {side}",
                "shove the {color} box over to the {side} side",
                "push {color} {side}",
                "to the {side} pad, slide the {color} block",
                "please push the {color} cube onto the pad on the {side}",
                "the {color} block belongs on the {side} pad: push it there",
            ),
            "held_out": (
                "nudge the {color} brick until it lies on the {side} pad",
                "can you get the {color} one to the {side}?",
                "on the {side} side is where I want the {color} block",
                "send the {color} object {side}",
            ),
        },
        "chinese": {
            "training": (
                "把{color}方块推到{side}边的垫子上",
                "将{color}积木滑到{side}侧垫子",
                "把{color}方块移到{side}边",
                "{color}方块,推到{side}边",
                "请把{color}积木推上{side}垫",
                "往{side}边推{color}方块",
                "{side}边的垫子上应放{color}方块,推过去",
                "推{color}的到{side}侧",
            ),
            "held_out": (
                "请将{color}木块挪至{side}面的垫子",
                "{color}那块给我弄到{side}边去",
                "{side}垫需要{color}积木,推一下",
                "让{color}物体去{side}边",
            ),
        },
    },
    "pick_place": {
        "english": {
            "training": (
                "pick up the {color} block and put it on the {side} pad",
                "put the {color} cube on the {side} pad",
                "place the {color} block on the {side}",
                "lift the {color} box and set it down on the {side} side",
                "pick {color}, put {side}",
                "on the {side} pad, place the {color} block",
                "please take the {color} cube to the pad on the {side}",
                "the {color} block belongs on the {side} pad: carry it there",
            ),
            "held_out": (
                "grab the {color} brick and drop it off at the {side} pad",
                "can you get the {color} one to the {side}?",
                "on the {side} side is where I want the {color} block",
                "bring the {color} object {side}",
            ),
        },
        "chinese": {
            "training": (
                "拿起{color}方块,放到{side}边的垫子上",
                "将{color}积木放在{side}侧垫子",
                "把{color}方块放到{side}边",
                "{color}方块,放到{side}边",
                "请把{color}积木放上{side}垫",
                "往{side}边搬{color}方块",
                "{side}边的垫子上应放{color}方块,拿过去",
                "拿{color}的到{side}侧",
            ),
            "held_out": (
                "请抓取{color}木块并置于{side}面的垫子",
                "{color}那块给我弄到{side}边去",
                "{side}垫需要{color}积木,拿一下",
                "让{color}物体去{side}边",
            ),
        },
    },
}


def sentences(verb: str, color: int, side: int, language: str, wording: str) -> list[str]:
    """Return the instructions to bring an object of a color, counted from 0, to a side."""
    words = {"color": COLORS[language][color], "side": SIDES[language][side]}
    return [phrase.format(**words) for phrase in PHRASES[verb][language][wording]]
