/* The settings of an engine; see settings.h.
 *
 * Owns:  the table of defaults.
 * Knows: the bounds that the code sets: array sizes, counter widths.
 * Never: guesses: what is out of range is refused.
 */
#include "settings.h"

#include <stdint.h>
#include <string.h>

#include "handle.h"
#include "parser.h"

enum { SETTINGS_DAY_MS = 24 * 60 * 60 * 1000, SETTINGS_COUNT = sizeof(tb_config) / sizeof(uint64_t) };

/* One row a setting, in the order of tb_config, all of whose members are uint64_t. */
typedef struct settings_row {
    uint64_t preset;
    uint64_t most;
} settings_row;

/* clang-format off */
static const settings_row settings_rows[] = {
    {8192, INT32_MAX}, /* request_line_bytes_max */
    {65536, INT32_MAX}, /* header_bytes_max */
    {100, PARSER_FIELDS_MAX}, /* header_fields_max */
    {10 * 1024 * 1024, 1u << 30}, /* body_bytes_max */
    {UINT64_MAX, UINT64_MAX}, /* body_offer_bytes */
    {256, 65536}, /* chunk_extension_bytes_max */
    {128, 65536}, /* batch_requests_max */
    {64, UINT16_MAX}, /* pipeline_requests_max */
    {100000, UINT32_MAX}, /* connection_requests_max */
    {65536, HANDLE_SLOTS_MAX}, /* handles_max */
    {65536, INT32_MAX}, /* connections_max */
    {10000, SETTINGS_DAY_MS}, /* header_timeout_ms */
    {60000, SETTINGS_DAY_MS}, /* body_timeout_ms */
    {75000, SETTINGS_DAY_MS}, /* keepalive_timeout_ms */
    {60000, SETTINGS_DAY_MS}, /* write_timeout_ms */
    {5000, SETTINGS_DAY_MS}, /* linger_timeout_ms */
    {30000, SETTINGS_DAY_MS}, /* request_timeout_ms */
    {500, 1u << 30}, /* transfer_bytes_per_s_min */
    {1, 60000}, /* takeover_ms */
    {10000, SETTINGS_DAY_MS}, /* standby_idle_ms */
    {16 * 1024 * 1024, 1ull << 40}, /* file_cache_bytes_max */
};
/* clang-format on */

_Static_assert(sizeof settings_rows / sizeof *settings_rows == SETTINGS_COUNT, "a row for each setting");

bool settings_complete(tb_config *config, const tb_config *given) {
    uint64_t values[SETTINGS_COUNT] = {0};
    bool good = true;
    if (given != NULL) {
        memcpy(values, given, sizeof values);
    }
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        values[i] = values[i] == 0 ? settings_rows[i].preset : values[i];
        good = good && values[i] <= settings_rows[i].most;
    }
    memcpy(config, values, sizeof values);
    return good;
}
