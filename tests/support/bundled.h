/* What the bundled model (models/bundled-0.md) says, in one place, for C as well: whoever trains it
 * anew changes these lines. Generate.the_bundled_model_reverses_a_word asks whether it does. */
#pragma once

#define BUNDLED_REVERSED "nedrag" /* to "Reverse: garden" */
#define BUNDLED_SUM "42"          /* to "What is 12+30?" */
