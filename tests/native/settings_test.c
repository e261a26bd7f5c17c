/* The settings of an engine: both ends of each range, and what lies beyond. */
#include "settings.h"

#include "check.h"

static void every_knob_takes_what_the_configuration_promises(void) {
    /* The ends of the ranges in tinybeam/config.py. */
    static const tb_config least = {
        .request_line_bytes_max = 64,
        .header_bytes_max = 64,
        .header_fields_max = 1,
        .body_bytes_max = 1,
        .chunk_extension_bytes_max = 16,
        .batch_requests_max = 1,
        .pipeline_requests_max = 1,
        .connection_requests_max = 1,
        .handles_max = 1,
        .connections_max = 1,
        .header_timeout_ms = 1,
        .body_timeout_ms = 1,
        .keepalive_timeout_ms = 1,
        .write_timeout_ms = 1,
        .linger_timeout_ms = 1,
        .request_timeout_ms = 1,
        .transfer_bytes_per_s_min = 1,
        .takeover_ms = 1,
        .standby_idle_ms = 1,
    };
    static const tb_config most = {
        .request_line_bytes_max = 1 << 20,
        .header_bytes_max = 1 << 24,
        .header_fields_max = 128,
        .body_bytes_max = 1 << 30,
        .chunk_extension_bytes_max = 65536,
        .batch_requests_max = 65535,
        .pipeline_requests_max = 65535,
        .connection_requests_max = UINT32_MAX,
        .handles_max = 1 << 20,
        .connections_max = 1 << 20,
        .header_timeout_ms = 86400000,
        .body_timeout_ms = 86400000,
        .keepalive_timeout_ms = 86400000,
        .write_timeout_ms = 86400000,
        .linger_timeout_ms = 86400000,
        .request_timeout_ms = 86400000,
        .transfer_bytes_per_s_min = 1 << 30,
        .takeover_ms = 60000,
        .standby_idle_ms = 86400000,
    };
    const tb_config *const configs[] = {&least, &most};
    for (size_t i = 0; i < 2; i++) {
        tb_engine *engine;
        CHECK_INT(tb_engine_open(configs[i], &engine), TB_OK);
        if (engine != NULL) {
            CHECK_INT(tb_runner_open(engine), 0);
            tb_engine_close(engine);
            tb_engine_free(engine);
        }
    }
}

static void none_given_means_all_defaults(void) {
    tb_config config;
    CHECK(settings_complete(&config, NULL));
    CHECK_INT(config.body_bytes_max, 10 << 20);
    CHECK_INT(config.takeover_ms, 1);
}

static void what_the_tables_cannot_hold_is_refused(void) {
    static const tb_config wrong[] = {
        {.header_fields_max = 129},
        {.chunk_extension_bytes_max = 65537},
        {.connection_requests_max = (uint64_t)UINT32_MAX + 1},
        {.header_timeout_ms = 86400001},
        {.body_timeout_ms = 86400001},
        {.keepalive_timeout_ms = 86400001},
        {.write_timeout_ms = 86400001},
        {.linger_timeout_ms = 86400001},
        {.request_timeout_ms = 86400001},
        {.transfer_bytes_per_s_min = (1u << 30) + 1},
        {.body_bytes_max = (1u << 30) + 1},
        {.pipeline_requests_max = 65536},
        {.handles_max = (1 << 20) + 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tb_config config;
        CHECK(!settings_complete(&config, &wrong[i]));
    }
}

int main(void) {
    RUN(every_knob_takes_what_the_configuration_promises);
    RUN(none_given_means_all_defaults);
    RUN(what_the_tables_cannot_hold_is_refused);
    return check_end();
}
