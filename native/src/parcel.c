/* A file as the answer to one request; see parcel.h.
 *
 * Owns:  the choice whether the octets are read here or sent from the descriptor.
 * Knows: that a descriptor has one owner: the located file until it is closed here, or a shipment has it.
 * Never: reads a file that is larger than what a slow client may cost.
 */
#include "parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "delivery.h"
#include "locate.h"
#include "response.h"
#include "shipment.h"

/* What the filling may find, beside errno. */
enum { PARCEL_LARGE = -1, PARCEL_CHANGED = -2, PARCEL_TRIES_MAX = 4 };

/* One file, on its way from a name to an answer. */
typedef struct parcel_draft {
    const tb_file *file;
    asked want;
    coding coding;
    located base;  /* the file as it is */
    located coded; /* and a form of it, where the coding is not CODING_IDENTITY */
    delivery plan;
    parser_field lines[PARSER_FIELDS_MAX];
} parcel_draft;

static bool parcel_is_type(const char *type) {
    const size_t len = strnlen(type, ASSET_TYPE_MAX + 1);
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)type[i] < ' ' || type[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= ASSET_TYPE_MAX;
}

static bool parcel_are_octets(const void *octets, uint64_t len) {
    return (octets != NULL || len == 0) && len <= PTRDIFF_MAX / 4;
}

static bool parcel_are_fields(const void *octets, uint64_t len) {
    return parcel_are_octets(octets, len) && answer_fields_valid(octets, (size_t)len);
}

static bool parcel_is_fit(const tb_file *file) {
    return file->path != NULL && file->status >= 200 && file->status <= 599 &&
           response_has_body((uint32_t)file->status) && parcel_are_octets(file->asked, file->asked_len) &&
           parcel_are_fields(file->fields, file->fields_len) && parcel_are_fields(file->lasting, file->lasting_len) &&
           (file->type == NULL || parcel_is_type(file->type));
}

/* Opens the form that the client would rather have than the file itself, if there is one. */
static void parcel_open_coded(parcel_draft *draft, locate_root *root) {
    unsigned siblings = (1u << CODING_IDENTITY) - 1;
    coding_wish wish;
    coding_read(&wish, &draft->want);
    while ((draft->coding = coding_choose(&wish, siblings)) != CODING_IDENTITY) {
        locate_open_sibling(root, &draft->base, coding_suffix(draft->coding), &draft->coded);
        if (draft->coded.status == 200 && locate_is_current(&draft->coded.stat, &draft->base.stat)) {
            return;
        }
        if (draft->coded.status == 200) {
            close(draft->coded.fd);
        }
        siblings &= ~(1u << draft->coding);
    }
}

/* Finds the file. 0, or errno. */
static int parcel_locate(parcel_draft *draft) {
    static const locate_rules plain = {.index = NULL};
    const tb_file *file = draft->file;
    locate_root root = locate_root_anywhere();
    if (file->root == NULL) {
        locate_open_path(&root, file->path, &draft->base);
    } else if (!locate_root_open(&root, file->root)) {
        return errno;
    } else {
        locate_open(&root, &plain, (const uint8_t *)file->path, strlen(file->path), &draft->base);
    }
    draft->coding = CODING_IDENTITY;
    if (draft->base.status == 200 && (file->flags & TB_FILE_PRECOMPRESSED)) {
        parcel_open_coded(draft, &root);
    }
    locate_root_close(&root);
    return draft->base.status == 200 ? 0 : draft->base.error;
}

/* Decides what is sent of it. */
static void parcel_plan(parcel_draft *draft, const located *opened) {
    const tb_file *file = draft->file;
    const char *name = file->name == NULL ? draft->base.name : file->name;
    struct timespec now;
    uint8_t fields[ASSET_FIELDS_MAX];
    asset found;
    const asset_source made_of = {.stat = &opened->stat,
                                  .name = name,
                                  .name_len = strlen(name),
                                  .type = file->type,
                                  .coding = draft->coding,
                                  .negotiated = (file->flags & TB_FILE_PRECOMPRESSED) != 0};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    asset_init(&found, fields, &made_of, now.tv_sec);
    delivery_init(&draft->plan, &draft->want, &found, now.tv_sec, delivery_boundary(&draft->want));
    if (file->status != 200) { /* the body of something else: of the file's fields it has the type */
        draft->plan.status = (uint32_t)file->status;
        draft->plan.fields_len = (size_t)(found.fields_len - found.multipart_len);
        memcpy(draft->plan.fields, found.fields + found.multipart_len, draft->plan.fields_len);
    }
}

/* Reads what is sent of the file. 0, errno, or PARCEL_CHANGED. */
static int parcel_read(uint8_t *at, const located *opened, const delivery *plan) {
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const delivery_segment *part = &plan->segments[i];
        if (part->framing) {
            memcpy(at, plan->frames + part->offset, part->len);
            at += part->len;
            continue;
        }
        for (uint64_t done = 0; done < part->len;) {
            const ssize_t n = pread(opened->fd, at, part->len - done, (off_t)(part->offset + done));
            if (n == 0 || (n < 0 && errno != EINTR)) {
                return n == 0 ? PARCEL_CHANGED : errno;
            }
            done += n > 0 ? (uint64_t)n : 0;
            at += n > 0 ? n : 0;
        }
    }
    struct stat now;
    return fstat(opened->fd, &now) == 0 && locate_is_whole(&now, &opened->stat) ? 0 : PARCEL_CHANGED;
}

static uint8_t *parcel_push(uint8_t *at, const void *octets, size_t len) {
    if (len > 0) {
        memcpy(at, octets, len);
    }
    return at + len;
}

/* Puts fields and content together. 0, errno, PARCEL_LARGE, or PARCEL_CHANGED. */
static int parcel_fill(parcel *made, const parcel_draft *draft, const located *opened) {
    const tb_file *file = draft->file;
    const delivery *plan = &draft->plan;
    answer *ans = &made->ans;
    const bool refused = plan->status == 412 || plan->status == 416;
    const size_t lasting_len = refused ? 0 : (size_t)file->lasting_len;
    const bool bare = draft->want.head || plan->body_len == 0;
    const size_t content_len = !bare && plan->body_len <= PARCEL_CONTENT_MAX ? (size_t)plan->body_len : 0;
    *ans = (answer){.status = plan->status, .body_len = plan->body_len};
    ans->fields_len = (size_t)file->fields_len + lasting_len + plan->fields_len;
    made->octets = malloc(ans->fields_len + content_len + 1);
    if (made->octets == NULL) {
        return ENOMEM;
    }
    ans->fields = made->octets;
    uint8_t *content = parcel_push(made->octets, file->fields, (size_t)file->fields_len);
    content = parcel_push(content, file->lasting, lasting_len);
    content = parcel_push(content, plan->fields, plan->fields_len);
    ans->body = content_len > 0 ? content : NULL;
    return content_len > 0 ? parcel_read(content, opened, plan) : bare ? 0 : PARCEL_LARGE;
}

/* Makes an answer of the file that was opened, and takes over its descriptor. */
static int32_t parcel_make(parcel *made, conn_room *room, parcel_draft *draft, located *opened) {
    int error = PARCEL_CHANGED;
    for (unsigned tries = 0; error == PARCEL_CHANGED && tries < PARCEL_TRIES_MAX; tries++) {
        parcel_close(made);
        if (tries > 0 && fstat(opened->fd, &opened->stat) != 0) {
            error = errno;
            break;
        }
        parcel_plan(draft, opened);
        error = parcel_fill(made, draft, opened);
    }
    if (error >= 0) {
        close(opened->fd);
        return error == 0 ? TB_OK : error == ENOMEM ? TB_ENOMEM : TB_ESYSTEM - error;
    }
    /* One that never is at rest is sent as well as can be: if it changes once more, the connection ends. */
    made->ans.body = NULL;
    made->ans.cargo = shipment_open(room, opened->fd, &opened->stat, &draft->plan);
    return made->ans.cargo == NULL ? TB_ENOMEM : TB_OK;
}

int32_t parcel_open(parcel *made, conn_room *room, const tb_file *file) {
    made->octets = NULL;
    if (!parcel_is_fit(file)) {
        return TB_EINVAL;
    }
    parcel_draft *draft = malloc(sizeof *draft);
    if (draft == NULL) {
        return TB_ENOMEM;
    }
    draft->file = file;
    asked_read(&draft->want, file->asked, file->status == 200 ? (size_t)file->asked_len : 0, draft->lines,
               PARSER_FIELDS_MAX, (file->flags & TB_FILE_HEAD) != 0);
    const int error = parcel_locate(draft);
    int32_t code = TB_ESYSTEM - error;
    if (error == 0) {
        located *opened = &draft->base;
        if (draft->coding != CODING_IDENTITY) {
            close(draft->base.fd);
            opened = &draft->coded;
        }
        code = parcel_make(made, room, draft, opened);
    }
    if (code != TB_OK) {
        parcel_close(made);
    }
    free(draft);
    return code;
}

void parcel_close(parcel *made) {
    free(made->octets);
    made->octets = NULL;
}
