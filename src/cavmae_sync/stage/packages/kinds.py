"""Kinds of the objects whose own sound is in the packages: the classes of the real pack.

A kind is what look and sound have in common beyond a single object: a bird that training never heard still
sounds like a bird. Objects of one kind that are the same thing (a cow, a bull) stand together with "+" and
share a split.
"""

from functools import cache
from types import MappingProxyType
from typing import Final

#: Kinds that training never sees.
HELD_BACK: Final = frozenset({"insect", "keyboard_instrument", "crawling_or_swimming", "thing"})

_OBJECTS: Final = MappingProxyType(
    {
        "bird": """albatross bird blackbird booby crow cuckoo duck+drake owl+eagle-owl emu+nandou flamingo
            goose+gander guinea_fowl hen+rooster heron+heron_greatblue_flying iora lark pelican penguin
            pheasant quail quetzal seagull sparrow stork tucan turkey vulture wood_grouse""",
        "grazing_animal": """bison camel+dromedary caribou cow+cow_white+bull+calf deer+doe donkey elephant
            giraffe hippopotamus horse+foal moose pig+pig_golden+pig_golden2 rhinoceros
            sheep+sheep_lamb+ram+goat+mountaingoat yak zebra""",
        "predator_or_ape": """badger bear+umka cat+blackcat chimpanzee+chimp dog+dogmatix fox
            giant_panda gorilla hyena jaguar lion little_monkey lynx otter raccoon sea_lion tiger wolf""",
        "small_mammal": """bat_left beaver chinchilla ferret hamster hedgehog jerboa koala mouse porcupine
            rabbit squirrel wallaby wombat""",
        "insect": "bee blister_beetle grasshopper hornet ladybug moth+xanthia spider weevil",
        "crawling_or_swimming": """aesculapian_snake+python dolphin fish frog iguana newt orca snail turtle
            urchin whale""",
        "string_instrument": """cello+gamba electric_guitar erhu guitar harp lute rabel topshuur ukulele
            violin yangqin youhikko yueqin zither""",
        "wind_instrument": """bagpipes bassoon clarinet dulzaina flute+western_concert_flute horn jug kazoo
            natural_horn ney oboe pipe pishik quena recorder rozhok saxophone trumpet washint whistle xun
            yobel zhaleyka zozulka zurna""",
        "keyboard_instrument": """accordion+squeezebox aeoline hand_organ harmonica oedephon organ
            piano+grand_piano""",
        "percussion": """bass_drum+drum_tomtom_floor changu cuica cymbals+cymbal_crash drums+drumkit hang
            iotshin ipu maracas ratchet slit_drum spoons timpani xylophone""",
        "vehicle": """airplane apollo_lander bathyscape bicycle+unicycle crane excavator firetruck
            helicopter+quadrocopter rocket skateboard tractor train wagon""",
        "tool": """camera_lens+camera_35mm+security_camera clock+watch display glass+jar hammer+mallet_metal
            jack kettle keyboard magnet magnifying_glass newspaper pen saw
            scissors_small_closed+scissors_small_open sound toilet umbrella x-ray xbox zipline zipper
            zoetrope""",
        "toy": """balloons+estonian_flag+austrian_flag dice
            dreydl-gimmel+dreydl-hay+dreydl-nun+dreydl-shin football+volleyball+rubber_ball glove hockey
            ice_skate kinder_surprise_egg kite origami+paper_airplane rocking_horse rubberduck seesaw top
            whirligig yoyo""",
        "person": """adjutant cheburashka chef clown doll dunno emelya gamekeeper ghost ivasyk joker
            jump_rope ode ole_lukoje prince quiz_game robot sailorboy schooler ursula walkie-talkie x-men
            yaga yeti""",
        "thing": """anklet apple_red boot button cabin chalkboard checkeredflag christmas_tree circus ear
            earth easel final-roll-call fire firebird fireworks grommet hard_candy hat+santahat igloo
            lightningbolt lunchbox necklace no_uturn paint+watercolor pupil quarter quarter_note quilt shield
            star vase xing_ped+xing_school yinyang""",
    }
)


def kind_of(name: str) -> tuple[str, str] | None:
    """Kind of an object, and the name that it shares with all that are the same thing; None if unknown.

    Args:
        name: Name of a picture in the packages, without folder and ending, for example "cow_white".
    """
    return _table().get(name)


@cache
def _table() -> dict[str, tuple[str, str]]:
    return {
        name: (kind, group)
        for kind, words in _OBJECTS.items()
        for group in words.split()
        for name in group.split("+")
    }
