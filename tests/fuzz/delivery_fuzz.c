/* Invariant: whatever a client asks of a file, it is sent octets that the file has, each once, and fields that are fit.
 *
 * Owns:  requests made of the fields that ask for something, with any octets as their values.
 * Knows: delivery.h and what stands beneath it: asked, condition, range, date, coding.
 * Never: a value that the parser let through only: each part has to bear any.
 */
#include "delivery.h"

#include "answer.h"
#include "date.h"
#include "fuzz.h"

enum { FIELDS = 12, NOW = 1700000000 };

static const char *const names[] = {"Accept-Encoding",     "If-Match", "If-None-Match", "If-Modified-Since",
                                    "If-Unmodified-Since", "If-Range", "Range",         "X-Other"};

static void check_segments(const delivery *out, uint64_t length) {
    uint64_t sum = 0, framing = 0;
    for (uint32_t i = 0; i < out->segment_count; i++) {
        const delivery_segment *part = &out->segments[i];
        const uint64_t most = part->framing ? out->frames_len : length;
        FUZZ_CHECK(part->len > 0 && part->len <= most && part->offset <= most - part->len);
        FUZZ_CHECK(!part->framing || part->offset == framing);
        framing += part->framing ? part->len : 0;
        sum += part->len;
        for (uint32_t k = 0; k < i; k++) {
            const delivery_segment *other = &out->segments[k];
            FUZZ_CHECK(part->framing || other->framing || part->offset >= other->offset + other->len ||
                       other->offset >= part->offset + part->len);
        }
    }
    FUZZ_CHECK(sum == out->body_len && framing == out->frames_len);
}

static bool has(const delivery *out, const char *name) {
    return memmem(out->fields, out->fields_len, name, strlen(name)) != NULL;
}

static void check_delivery(const delivery *out, const asked *want, uint64_t length) {
    FUZZ_CHECK(out->fields_len <= sizeof out->fields && answer_fields_valid(out->fields, out->fields_len));
    check_segments(out, length);
    switch (out->status) {
    case 200:
        FUZZ_CHECK(out->body_len == length && !has(out, "Content-Range: "));
        break;
    case 206:
        FUZZ_CHECK(!want->head && want->count[ASKED_RANGE] == 1 && out->segment_count > 0);
        FUZZ_CHECK(has(out, "Content-Range: bytes ") == (out->segment_count == 1));
        FUZZ_CHECK(has(out, "multipart/byteranges") == (out->segment_count >= 5));
        break;
    case 416:
        FUZZ_CHECK(!want->head && has(out, "Content-Range: bytes */") && out->segment_count == 0);
        break;
    default:
        FUZZ_CHECK((out->status == 304 || out->status == 412) && out->segment_count == 0);
        FUZZ_CHECK(out->status == 304 || want->count[ASKED_IF_MATCH] + want->count[ASKED_IF_UNMODIFIED_SINCE] > 0);
    }
}

/* A date that is read is one that can be written, and is the same when it is read again. */
static void check_date(const parser_field *field) {
    int64_t second, again;
    char text[DATE_LEN];
    if (date_read(field->value, field->value_len, NOW, &second)) {
        date_write(text, second);
        FUZZ_CHECK(date_read((const uint8_t *)text, DATE_LEN, NOW, &again) && again == second);
    }
}

static void check_coding(const asked *want, unsigned available) {
    coding_wish wish;
    coding_read(&wish, want);
    const coding best = coding_choose(&wish, available);
    FUZZ_CHECK(best == CODING_IDENTITY || ((available >> best & 1) != 0 && wish.weights[best] > 0));
    for (unsigned i = 0; i < CODINGS; i++) {
        FUZZ_CHECK(wish.weights[i] >= CODING_UNNAMED && wish.weights[i] <= 1000);
        FUZZ_CHECK((available >> i & 1) == 0 || wish.weights[i] <= 0 || best != CODING_IDENTITY || i == best ||
                   wish.weights[CODING_IDENTITY] > wish.weights[i]);
    }
}

static uint32_t make_fields(fuzz_script *script, parser_field *fields) {
    uint32_t count = 0;
    while (script->at < script->end && count < FIELDS) {
        const char *name = names[fuzz_next(script) % (sizeof names / sizeof *names)];
        const uint8_t *stop = memchr(script->at, '\n', (size_t)(script->end - script->at));
        const size_t len = (size_t)((stop == NULL ? script->end : stop) - script->at);
        fields[count++] = (parser_field){.name = (const uint8_t *)name,
                                         .name_len = (uint32_t)strlen(name),
                                         .value = fuzz_copy(script->at, len),
                                         .value_len = (uint32_t)len};
        script->at += len + (stop != NULL);
    }
    return count;
}

/* The same fields as a record has them are read as the same wish. */
static void check_record(const asked *want) {
    parser_field room[FIELDS];
    asked again;
    size_t len = 1;
    for (uint32_t i = 0; i < want->field_count; i++) {
        len += want->fields[i].name_len + want->fields[i].value_len + 2;
    }
    uint8_t *block = malloc(len), *at = block;
    *at++ = '\n';
    for (uint32_t i = 0; i < want->field_count; i++) {
        const parser_field *line = &want->fields[i];
        memcpy(at, line->name, line->name_len);
        at += line->name_len;
        *at++ = ':';
        memcpy(at, line->value, line->value_len);
        at += line->value_len;
        *at++ = '\n';
    }
    asked_read(&again, block, len, room, FIELDS, want->head);
    for (unsigned name = 0; name < ASKED_NAMES; name++) {
        const parser_field *ours = NULL, *theirs = NULL;
        FUZZ_CHECK(again.count[name] == want->count[name]);
        do {
            ours = asked_next(want, (asked_name)name, ours);
            theirs = asked_next(&again, (asked_name)name, theirs);
            FUZZ_CHECK((ours == NULL) == (theirs == NULL));
            FUZZ_CHECK(ours == NULL || (ours->value_len == theirs->value_len &&
                                        memcmp(ours->value, theirs->value, ours->value_len) == 0));
        } while (ours != NULL);
    }
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    static const uint64_t lengths[] = {0, 1, 2, 10, 1000, 1u << 31, 1ull << 40, INT64_MAX};
    static uint8_t written[ASSET_FIELDS_MAX];
    static delivery out;
    fuzz_script script = {.at = octets, .end = octets + len};
    const uint8_t kind = fuzz_next(&script);
    const uint64_t length = lengths[kind & 7];
    const struct stat stat = {.st_mtim = {.tv_sec = 784111777}, .st_size = (off_t)length};
    const asset_source source = {.stat = &stat, .name = "a.txt", .name_len = 5, .coding = (coding)(kind >> 4 & 3)};
    asset file;
    asset_init(&file, written, &source, NOW);
    parser_field fields[FIELDS];
    asked want;
    asked_init(&want, fields, make_fields(&script, fields), (kind & 8) != 0);
    delivery_init(&out, &want, &file, NOW, 7);
    check_delivery(&out, &want, length);
    check_coding(&want, kind >> 5);
    check_record(&want);
    for (uint32_t i = 0; i < want.field_count; i++) {
        check_date(&fields[i]);
        free((void *)(uintptr_t)fields[i].value);
    }
    return 0;
}
