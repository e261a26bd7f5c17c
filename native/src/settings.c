/* The settings of an engine; see settings.h.
 *
 * Owns:  the table of defaults.
 * Knows: the bounds that the code sets: array sizes, counter widths.
 * Never: guesses: what is out of range is refused.
 */
#include "settings.h"

#include <stdint.h>

#include "handle.h"
#include "parser.h"

static const tb_config settings_defaults = {
    .request_line_bytes_max = 8192,
    .header_bytes_max = 65536,
    .header_fields_max = 100,
    .body_bytes_max = 10 * 1024 * 1024,
    .batch_requests_max = 128,
    .pipeline_requests_max = 64,
    .handles_max = 65536,
    .connections_max = 65536,
    .takeover_ms = 1,
    .standby_idle_ms = 10000,
};

static uint64_t settings_choose(uint64_t given, uint64_t preset) {
    return given == 0 ? preset : given;
}

bool settings_complete(tb_config *config, const tb_config *given) {
    const tb_config *preset = &settings_defaults;
    const tb_config none = {0};
    given = given == NULL ? &none : given;
    *config = (tb_config){
        .request_line_bytes_max = settings_choose(given->request_line_bytes_max, preset->request_line_bytes_max),
        .header_bytes_max = settings_choose(given->header_bytes_max, preset->header_bytes_max),
        .header_fields_max = settings_choose(given->header_fields_max, preset->header_fields_max),
        .body_bytes_max = settings_choose(given->body_bytes_max, preset->body_bytes_max),
        .batch_requests_max = settings_choose(given->batch_requests_max, preset->batch_requests_max),
        .pipeline_requests_max = settings_choose(given->pipeline_requests_max, preset->pipeline_requests_max),
        .handles_max = settings_choose(given->handles_max, preset->handles_max),
        .connections_max = settings_choose(given->connections_max, preset->connections_max),
        .takeover_ms = settings_choose(given->takeover_ms, preset->takeover_ms),
        .standby_idle_ms = settings_choose(given->standby_idle_ms, preset->standby_idle_ms),
    };
    return config->request_line_bytes_max <= INT32_MAX && config->header_bytes_max <= INT32_MAX &&
           config->header_fields_max <= PARSER_FIELDS_MAX && config->body_bytes_max <= 1u << 30 &&
           config->batch_requests_max <= 65536 && config->pipeline_requests_max <= UINT16_MAX &&
           config->handles_max <= HANDLE_SLOTS_MAX && config->connections_max <= INT32_MAX &&
           config->takeover_ms <= 60000 && config->standby_idle_ms <= INT32_MAX;
}
