/* The settings of an engine: what was given, completed by the defaults, within their ranges.
 *
 * Owns:  the defaults of the engine for who gives none; tinybeam/config.py has the same, with the reasons.
 * Knows: what the tables and counters behind each setting can hold.
 * Never: changes after the engine was opened.
 */
#ifndef TINYBEAM_SETTINGS_H
#define TINYBEAM_SETTINGS_H

#include <stdbool.h>

#include "tinybeam.h"

/* Completes `given`, which may be NULL. False when a setting is out of its range. */
bool settings_complete(tb_config *config, const tb_config *given);

#endif
