/* Invariant: however its octets are cut and whatever happens meanwhile, a connection's requests are those of its octets
 * in their order, each is answered once at most, in order, with a well-formed response, and no handle is left over.
 *
 * Owns:  a scripted socket (read sizes, EAGAIN, EINTR, end, reset, window), a clock, and a runner that answers at will.
 * Knows: scheduler.h. The input is a script and the client's octets; the same octets, whole and with prompt answers,
 *        tell which requests there are.
 * Never: a judgement of its own about which octets are a request.
 */
#include "exchange.h"
#include "fuzz.h"
#include "inflow.h"
#include "net.h"
#include "news.h"
#include "reception.h"
#include "scheduler.h"
#include "term.h"

enum { BATCH_MAX = 8, CAPACITY = 64 * 1024, REQUESTS_MAX = 512, BODY_MAX = 300 };

typedef struct request {
    uint64_t handle;
    uint64_t hash;
    uint64_t head_hash;
    bool offered; /* and not whole yet */
    bool whole;   /* with its body, and its hash is of both */
    bool flows;   /* its body is read in parts */
    bool begun;   /* and was asked for */
    bool waits;   /* for an answer of ours */
    uint8_t body[BODY_MAX];
    size_t body_len;
} request;

typedef struct run_log {
    request items[REQUESTS_MAX];
    unsigned len;
    uint64_t whole[REQUESTS_MAX]; /* the hashes of those that came to be whole, in the order of their handing over */
    unsigned whole_len;
    bool skips; /* one was answered without its body, and those behind it may still come */
    bool calm;  /* nothing has happened that may cost a request: it gets all that its octets ask for */
} run_log;

static scheduler sched;
static bool any_cut; /* an answer was broken off */
static char digits[8];
static run_log script_log, plain_log;

static uint64_t hash(uint64_t sum, const uint8_t *octets, size_t len) {
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ octets[i]) * UINT64_C(0x100000001b3);
    }
    return (sum ^ 0xff) * UINT64_C(0x100000001b3);
}

static void read_record(term_reader *reader, run_log *log) {
    uint32_t elements = 0;
    request item = {.waits = true, .hash = UINT64_C(0xcbf29ce484222325)};
    FUZZ_CHECK(term_next_array(reader, &elements) && elements >= 8 && elements <= 10);
    FUZZ_CHECK(term_next_uint(reader, &item.handle));
    for (uint32_t i = 1; i < (elements < 9 ? elements : 9); i++) {
        const uint8_t *octets;
        size_t len;
        FUZZ_CHECK(term_next_octets(reader, &octets, &len));
        item.hash = hash(item.hash, octets, len);
        item.head_hash = i == 6 ? item.hash : item.head_hash;
    }
    item.offered = elements == 10;
    reader->at += item.offered;
    FUZZ_CHECK(log->len < REQUESTS_MAX);
    for (unsigned i = 0; i < log->len; i++) {
        FUZZ_CHECK(log->items[i].handle != item.handle);
    }
    item.whole = !item.offered;
    log->items[log->len++] = item;
}

/* In the order in which they were handed over: the body of one that is read in parts may be whole after that of the
 * next, when both are of a safe method. */
static void gather_whole(run_log *log) {
    log->whole_len = 0;
    for (unsigned i = 0; i < log->len; i++) {
        if (log->items[i].whole) {
            log->whole[log->whole_len++] = log->items[i].hash;
        }
    }
}

static void poll_once(run_log *log) {
    static uint8_t octets[CAPACITY];
    uint64_t handles[BATCH_MAX];
    batch bat;
    batch_init(&bat, octets, sizeof octets, handles, BATCH_MAX);
    const int32_t verdict = scheduler_poll(&sched, &bat);
    FUZZ_CHECK(verdict >= 0);
    const size_t len = batch_close(&bat);
    term_reader reader = {.at = octets, .end = octets + len};
    uint32_t count = 0;
    FUZZ_CHECK(len == 0 || term_next_array(&reader, &count));
    for (uint32_t i = 0; i < count; i++) {
        read_record(&reader, log);
    }
    FUZZ_CHECK(reader.at == reader.end);
    uint64_t news[1 + 2 * 4];
    news_take(&sched.room, news, 4);
    FUZZ_CHECK(news[0] <= 4);
}

/* Answers with its own number as the body, so that the order on the wire can be read back. */
static void answer_one(run_log *log, unsigned index, bool post) {
    uint8_t out[128];
    char body[16];
    const int body_len = snprintf(body, sizeof body, "#%05u", index);
    uint8_t *at = term_write_uint64(term_write_array(term_write_array(out, 1), 4), log->items[index].handle);
    at = term_write_bin(term_write_nil(term_write_uint64(at, 200)), body, (size_t)body_len);
    const int32_t code =
        post ? reception_post(&sched, out, (size_t)(at - out)) : reception_spend(&sched, out, (size_t)(at - out));
    FUZZ_CHECK(code == TB_OK || (post && (code == TB_EALREADY || code == TB_EDISCONNECTED)));
    log->items[index].waits = false;
}

static uint8_t *write_part(uint8_t *at, uint64_t handle, uint64_t kind, const void *octets, size_t len) {
    at = term_write_uint64(term_write_uint64(term_write_array(at, 3), handle), kind);
    return term_write_bin(at, octets, len);
}

/* The same answer in parts, of a length that is told or not; or without its second half. */
static void stream_one(run_log *log, unsigned index, uint8_t how) {
    uint8_t out[256];
    char body[16];
    const uint64_t handle = log->items[index].handle;
    snprintf(body, sizeof body, "#%05u", index);
    uint8_t *at = term_write_uint64(term_write_array(term_write_array(out, 4), 5), handle);
    at = term_write_nil(term_write_uint64(term_write_uint64(at, TB_KIND_STREAM), 200));
    at = term_write_uint64(at, how & 1 ? 6 : TB_LENGTH_UNKNOWN);
    at = write_part(at, handle, TB_KIND_PART, body, 3);
    const bool cut = (how & 6) == 6;
    at = write_part(at, handle, how & 8 ? TB_KIND_ASK : TB_KIND_PART, body + 3, cut ? 0 : 3);
    at = write_part(at, handle, cut ? TB_KIND_CUT : TB_KIND_END, NULL, 0);
    const size_t len = (size_t)(at - out);
    if (how & 16) {
        reception_post(&sched, out, len);
    } else {
        FUZZ_CHECK(reception_spend(&sched, out, len) == TB_OK);
    }
    log->calm = log->calm && (how & 1) && !cut; /* to HTTP/1.0 its end is the connection's */
    any_cut = any_cut || cut;
    log->items[index].waits = false;
}

static void flow_one(run_log *log, unsigned index) {
    request *item = &log->items[index];
    item->flows = item->flows || inflow_open(&sched.room, item->handle, BODY_MAX) == TB_OK;
}

/* Reads on. What came before the end is the body; with its end it is a request as others are. True while it goes on. */
static bool take_one(run_log *log, unsigned index, size_t capacity) {
    request *item = &log->items[index];
    uint8_t octets[BODY_MAX + 1];
    bool wanted;
    const int64_t n = inflow_take(&sched.room, item->handle, octets, capacity, &wanted);
    FUZZ_CHECK(n <= (int64_t)capacity && (n <= 0 || item->body_len + (size_t)n <= BODY_MAX));
    if (n > 0) {
        memcpy(item->body + item->body_len, octets, (size_t)n);
        item->body_len += (size_t)n;
        return true;
    }
    if (n == 0 && item->offered) {
        uint8_t trailers[1024];
        const int64_t len = inflow_take_trailers(&sched.room, item->handle, trailers, sizeof trailers);
        FUZZ_CHECK(len > 0);
        uint64_t sum = hash(item->head_hash, item->body, item->body_len);
        item->hash = len > 1 ? hash(sum, trailers, (size_t)len) : sum;
        item->whole = true;
        item->offered = false;
    }
    FUZZ_CHECK(n == 0 || n == TB_EWAIT || n == TB_EALREADY || n == TB_EBADHANDLE || n == TB_EDISCONNECTED ||
               n == TB_EBODY - 400 || n == TB_EBODY - 408 || n == TB_EBODY - 413 || n == TB_EBODY - 431);
    item->flows = item->flows && n == TB_EWAIT;
    return false;
}

static void continue_one(run_log *log, unsigned index, uint64_t bytes_max) {
    uint8_t out[64];
    uint8_t *at = term_write_uint64(term_write_array(term_write_array(out, 1), 3), log->items[index].handle);
    at = term_write_uint64(term_write_uint64(at, TB_KIND_CONTINUE), bytes_max);
    FUZZ_CHECK(reception_spend(&sched, out, (size_t)(at - out)) == TB_OK);
    log->items[index].waits = false;
}

static void open_all(const uint8_t *stream, size_t len) {
    static const tb_config config = {
        .request_line_bytes_max = 200,
        .header_bytes_max = 600,
        .header_fields_max = 12,
        .body_bytes_max = 300,
        .body_offer_bytes = 100,
        .chunk_extension_bytes_max = 40,
        .batch_requests_max = BATCH_MAX,
        .pipeline_requests_max = 4,
        .connection_requests_max = 30,
        .handles_max = 8,
        .connections_max = 4,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 60000,
        .keepalive_timeout_ms = 75000,
        .write_timeout_ms = 60000,
        .linger_timeout_ms = 5000,
        .request_timeout_ms = 30000,
        .transfer_bytes_per_s_min = 500,
        .takeover_ms = 1,
        .standby_idle_ms = 1000,
    };
    static const constant item = {.path_len = 2, .body_len = 5, .status = 200};
    memset(&sched, 0, sizeof sched);
    memset(&net, 0, offsetof(__typeof__(net), wire));
    net.wire_len = 0;
    net.now_ms = 1000000;
    net.stream = stream;
    net.stream_len = len;
    net.flags = &sched.flags;
    net.open = true;
    net.window = 100000;
    FUZZ_CHECK(scheduler_init(&sched, &config, 42) == TB_OK);
    FUZZ_CHECK(constant_push(&sched.room.constants, &item, "/c", NULL, "const") == TB_OK);
    FUZZ_CHECK(conn_open(&sched.room, FD, (const uint8_t *)"", 0));
}

/* Answers and polls until nothing moves any more. */
static void settle(run_log *log) {
    for (unsigned round = 0; round < 2 * REQUESTS_MAX; round++) {
        const unsigned len = log->len;
        const size_t wire_len = net.wire_len;
        bool moved = false;
        for (unsigned i = 0; i < log->len; i++) {
            if (log->items[i].waits && log->items[i].flows) {
                moved = moved || !log->items[i].begun;
                log->items[i].begun = true;
                while (take_one(log, i, 1 + i % BODY_MAX)) {
                    moved = true;
                }
                if (!log->items[i].flows) {
                    answer_one(log, i, true);
                    moved = true;
                }
            } else if (log->items[i].waits && log->items[i].offered) {
                continue_one(log, i, BODY_MAX);
                moved = true;
            } else if (log->items[i].waits) {
                answer_one(log, i, false);
                moved = true;
            }
        }
        poll_once(log);
        poll_once(log);
        if (!moved && log->len == len && net.wire_len == wire_len) {
            return;
        }
    }
    FUZZ_CHECK(!"it comes to rest");
}

/* The wire is whole responses, and those that are ours come in the order of their requests; the last may be cut off. */
static void check_wire(bool whole) {
    const char *at = (const char *)net.wire;
    net.wire[net.wire_len] = '\0';
    const char *end = at + net.wire_len;
    int last = -1;
    uint64_t answers = 0;
    while (at < end) {
        const char *start = at;
        const char *head_end = strstr(at, "\r\n\r\n");
        if (head_end == NULL) {
            FUZZ_CHECK(!whole);
            return;
        }
        FUZZ_CHECK(strncmp(at, "HTTP/1.1 ", 9) == 0);
        const unsigned status = (unsigned)strtoul(at + 9, NULL, 10);
        FUZZ_CHECK(status >= 100 && status <= 505);
        const char *length = strstr(at, "\r\nContent-Length: ");
        size_t body_len = length != NULL && length < head_end ? strtoul(length + 18, NULL, 10) : 0;
        at = head_end + 4;
        if (status == 100) {
            FUZZ_CHECK(length == NULL || length > head_end);
            continue;
        }
        answers++;
        const stats *counts = &sched.room.stats;
        FUZZ_CHECK(answers <=
                   stats_of(&counts->requests) + stats_of(&counts->constants) + stats_of(&counts->requests_refused));
        if (at < end && strncmp(at, "HTTP/1.1 ", 9) == 0) {
            body_len = 0; /* the answer to a HEAD */
        }
        const char *numbered = at + 1;
        const char *chunked = strstr(start, "\r\nTransfer-Encoding: chunked");
        if (chunked != NULL && chunked < at) {
            if (body_len > 0 || (size_t)(end - at) < sizeof "3\r\n#00\r\n3\r\n000\r\n0\r\n\r\n" - 1 ||
                strncmp(at, "HTTP/1.1 ", 9) == 0) {
                body_len = 0; /* the answer to a HEAD, or one that is cut off */
            } else {
                body_len = sizeof "3\r\n#00\r\n3\r\n000\r\n0\r\n\r\n" - 1;
                FUZZ_CHECK(memcmp(at, "3\r\n#", 4) == 0 && memcmp(at + 6, "\r\n3\r\n", 5) == 0);
                FUZZ_CHECK(memcmp(at + 14, "\r\n0\r\n\r\n", 7) == 0);
                digits[0] = at[4];
                digits[1] = at[5];
                memcpy(digits + 2, at + 11, 3);
                numbered = digits;
            }
        } else if (length == NULL || length > head_end) {
            body_len = at < end && at[0] == '#' ? 6 : 0; /* to its end with the connection */
        }
        if (body_len > (size_t)(end - at)) {
            FUZZ_CHECK(!whole || at == end);
            return;
        }
        if (numbered == digits || (body_len == 6 && at[0] == '#')) {
            const int number = atoi(numbered);
            FUZZ_CHECK(number > last);
            last = number;
        }
        at += body_len;
    }
}

static void close_all(run_log *log) {
    end_stream(true);
    poll_once(log);
    for (unsigned i = 0; i < log->len; i++) {
        if (log->items[i].waits) {
            answer_one(log, i, true);
        }
    }
    poll_once(log);
    poll_once(log);
    FUZZ_CHECK(!net.open && sched.room.conns == NULL && sched.room.handles.open == 0);
    scheduler_deinit(&sched);
}

/* One step of the script. */
static void step(uint8_t op, fuzz_script *script, run_log *log) {
    const uint8_t operand = fuzz_next(script);
    const unsigned index = log->len > 0 ? log->len - 1 - operand % (log->len < 8 ? log->len : 8) : 0;
    switch (op % 16) {
    case 0:
        deliver(1);
        break;
    case 1:
        deliver(operand);
        break;
    case 2:
        deliver(SIZE_MAX);
        break;
    case 3:
    case 4:
        if (log->len > 0) {
            log->calm = log->calm && !log->items[index].offered; /* an answer instead of its body may end it */
            log->skips = log->skips || log->items[index].offered;
            if (operand & 0x80) {
                stream_one(log, index, (uint8_t)(operand >> 2));
            } else {
                answer_one(log, index, op % 16 == 4); /* also a second time */
            }
        }
        break;
    case 5:
        if (log->len > 0 && log->items[index].flows) {
            take_one(log, index, 1 + operand);
        } else if (log->len > 0 && log->items[index].waits && (operand & 0x40)) {
            flow_one(log, index);
        } else if (log->len > 0 && log->items[index].waits) {
            log->calm = log->calm && operand % 2 == 0;
            log->skips = log->skips || operand % 2 != 0; /* one that is too long for that is refused alone */
            continue_one(log, index, operand % 2 == 0 ? BODY_MAX : operand);
        }
        break;
    case 6:
        net.now_ms += operand * 20;
        log->calm = false;
        break;
    case 7:
        net.now_ms += operand * 1000;
        log->calm = false;
        break;
    case 8:
        widen(operand);
        break;
    case 9:
        net.window = operand;
        break;
    case 10:
        end_stream(false);
        log->calm = false;
        break;
    case 11:
        log->calm = log->calm && (operand & EPOLLRDHUP) == 0;
        net.events |= operand & (EPOLLIN | EPOLLOUT | EPOLLRDHUP); /* that may not be so */
        break;
    case 12:
        scheduler_serve(&sched);
        return;
    case 13:
        if (log->len > 0) {
            FUZZ_CHECK(reception_post_timeout(&sched, log->items[index].handle, operand * 100) == TB_OK);
        }
        break;
    case 14:
        net.interrupted = operand % 4;
        break;
    default:
        log->calm = log->calm && operand > 1;
        if (operand == 0) {
            atomic_store(&sched.drain_due, true);
        } else if (operand == 1) {
            end_stream(true);
        }
    }
    poll_once(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    if (len < 2 || len > 3000) {
        return 0;
    }
    size_t script_len = octets[0];
    octets++;
    len--;
    script_len = script_len < len ? script_len : len;
    uint8_t *stream = fuzz_copy(octets + script_len, len - script_len);
    fuzz_script script = {.at = octets, .end = octets + script_len};

    plain_log.len = 0;
    open_all(stream, len - script_len);
    deliver(SIZE_MAX);
    settle(&plain_log);
    check_wire(true);
    close_all(&plain_log);

    script_log.len = 0;
    any_cut = script_log.skips = false;
    script_log.calm = true;
    open_all(stream, len - script_len);
    while (script.at < script.end) {
        step(fuzz_next(&script), &script, &script_log);
    }
    widen(WIRE_MAX / 2);
    net.interrupted = 0;
    deliver(SIZE_MAX);
    settle(&script_log);
    check_wire(!net.reset && !any_cut && stats_of(&sched.room.stats.timeouts_write) == 0);
    close_all(&script_log);

    gather_whole(&plain_log);
    gather_whole(&script_log);
    FUZZ_CHECK(script_log.whole_len <= plain_log.whole_len);
    FUZZ_CHECK(!script_log.calm || script_log.whole_len == plain_log.whole_len);
    for (unsigned i = 0, k = 0; i < script_log.whole_len; i++, k++) {
        while (script_log.skips && k < plain_log.whole_len && script_log.whole[i] != plain_log.whole[k]) {
            k++;
        }
        FUZZ_CHECK(k < plain_log.whole_len && script_log.whole[i] == plain_log.whole[k]);
    }
    free(stream);
    return 0;
}
