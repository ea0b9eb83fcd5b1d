#include "run/sample_text.h"

namespace skein {

std::string_view sample_text() {
  return R"(The ferry to the outer islands leaves at a quarter past seven, and whoever misses it waits until
Thursday. Marta had missed it twice already, once because of the fog and once because of her brother,
who said that he would drive her and then slept until nine. This time she came the evening before,
took a room above the bakery, and woke at four when the ovens were lit. The whole house smelled of
rye and caraway. She lay and listened to the baker's radio: a man read the heights of the tide, one
harbour after the other, slowly, as if somebody was writing them down.

"You are the one with the seeds," said the captain when she came on board. He did not look up from
his list. "Eleven boxes. They told me that there would be eight."

"Three more came on Monday."

"Then three of them stand on deck." He made a mark. "If it rains they get wet. That is what seeds
are for, I suppose."

What makes a bridge stand? Not the stone, which only wants to fall, but that each stone keeps its
neighbour from falling first. An arch is a quarrel that nobody wins. Engineers measure the thrust at
the foot of it: with a span of 24 metres, a rise of 6 and a load of 18 kN for each metre, the thrust
is w * L^2 / (8 * f) = 18 * 576 / 48 = 216 kN. Double the rise and it is halved.

| month    | rain, mm | warmest day |
|----------|----------|-------------|
| January  |       71 |        9 °C |
| April    |       38 |       19 °C |
| July     |       22 |       31 °C |
| October  |       64 |       18 °C |

def overlaps(first, second):
    """Whether two half-open intervals have a point in common."""
    return first[0] < second[1] and second[0] < first[1]

bookings = [(9, 11), (10, 12), (14, 15)]
for i, one in enumerate(bookings):
    for other in bookings[i + 1:]:
        if overlaps(one, other):
            print(f"{one} and {other} want the room at the same time")

老街尽头有一家修伞的铺子。店主姓陈，六十多岁，话不多。下雨的日子他反而清闲，因为伞都在人们手里；等天
一放晴，门口就排起了队。“好伞不怕旧，”他说，“只怕没人撑。”孩子们喜欢看他换伞骨，一根一根，像给小鸟接
翅膀。

Der Brunnen im Hof war seit dem Sommer trocken. Im Oktober, nach drei Tagen Regen, hörte die Nachbarin
nachts ein Glucksen und stand auf, um nachzusehen: Das Wasser kam zurück, braun erst, dann klar.

Le facteur ne sonne plus. Il pose les lettres sur le muret, sous une pierre plate, et le chien du
notaire les garde jusqu'au soir sans jamais en abîmer une seule.

На верхней полке стояли банки с вареньем, подписанные годами. Самую старую никто не открывал: бабушка
говорила, что в ней лето, когда все были дома.

Question: A tank holds 240 litres and loses 3 litres each hour. After how many hours is it a quarter
full?
Answer: A quarter of 240 is 60, so 180 litres have to go. At 3 litres an hour that takes 60 hours.
)";
}

}  // namespace skein
