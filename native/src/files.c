/* Requests for files; see files.h.
 *
 * Owns:  the choice whether a file is copied into the answer or sent from its descriptor.
 * Knows: that an answer may have to wait for its turn, and that the head goes before the file.
 * Never: holds up other connections for a file: it goes in turns.
 */
#include "files.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "intake.h"
#include "shipment.h"
#include "tinybeam.h"

enum { FILES_LOCATION_SHORT = 1024 };

static const char *files_text(uint32_t status) {
    switch (status) {
    case 403:
        return "this may not be read\n";
    case 404:
        return "there is no such file\n";
    case 503:
        return "this server has too many files open; try again later\n";
    default:
        return "";
    }
}

/* Answers with octets that are here. False when no handle is free. */
static bool files_write(conn_room *room, conn *con, exchange_kind kind, response res, const uint8_t *body) {
    if (con->in_flight > 0) {
        return exchange_open_ready(room, con, kind, &res, body);
    }
    exchange_write(room, con, kind, res, body);
    return true;
}

/* The status says all, beside where to go. */
static bool files_write_plainly(conn_room *room, conn *con, exchange_kind kind, const parser_request *parsed,
                                uint32_t status) {
    static const char plain[] = "Content-Type: text/plain; charset=utf-8\r\n";
    const char *text = files_text(status);
    response res = {.status = status, .body_len = strlen(text)};
    uint8_t *fields = NULL;
    if (status == 301) {
        fields = malloc(mount_location_max(parsed));
        if (fields == NULL) {
            con->sink.broken = true;
            return true;
        }
        res.fields = fields;
        res.fields_len = (size_t)(mount_write_location(fields, parsed) - fields);
    } else if (res.body_len > 0) {
        res.fields = (const uint8_t *)plain;
        res.fields_len = sizeof plain - 1;
    }
    const bool written = files_write(room, con, kind, res, (const uint8_t *)text);
    free(fields);
    return written;
}

/* The body in one piece, for content that is in memory. NULL when memory is out. */
static uint8_t *files_gather(const delivery *plan, const uint8_t *content) {
    uint8_t *body = malloc(plan->body_len);
    uint8_t *at = body;
    for (uint32_t i = 0; body != NULL && i < plan->segment_count; i++) {
        const delivery_segment *part = &plan->segments[i];
        memcpy(at, (part->framing ? plan->frames : content) + part->offset, part->len);
        at += part->len;
    }
    return body;
}

static bool files_write_content(conn_room *room, conn *con, exchange_kind kind, response res,
                                const mount_reply *found) {
    const delivery *plan = &found->delivery;
    if (plan->segment_count == 0 || kind.head) {
        kind.head = true; /* nothing of the body, whatever its length */
        return files_write(room, con, kind, res, NULL);
    }
    if (plan->segment_count == 1 && !plan->segments[0].framing) {
        return files_write(room, con, kind, res, found->content + plan->segments[0].offset);
    }
    uint8_t *body = files_gather(plan, found->content);
    if (body == NULL) {
        con->sink.broken = true;
        return true;
    }
    const bool written = files_write(room, con, kind, res, body);
    free(body);
    return written;
}

/* Sends the head, or keeps it until it is its turn; the file follows. Takes over the descriptor. */
static bool files_ship(conn_room *room, conn *con, exchange_kind kind, response res, const mount_reply *found) {
    uint64_t handle;
    uint32_t slot;
    if (!exchange_open(room, con, kind, &handle)) {
        close(found->fd);
        return false;
    }
    handle_take(&room->handles, handle, &slot); /* at once: nobody was ever given it */
    shipment *cargo = shipment_open(room, found->fd, &found->stat, &found->delivery);
    if (cargo == NULL) {
        con->sink.broken = true;
        room->handles.slots[slot].ready = true; /* so that closing frees the slot */
        return true;
    }
    exchange_ship(room, slot, res, cargo);
    return true;
}

files_step files_serve(conn_room *room, conn *con, mount *place, const parser_request *parsed, exchange_kind kind) {
    mount_reply *found = room->found;
    asked want;
    asked_init(&want, parsed->fields, parsed->field_count, kind.head);
    const mount_clock clock = {.second = room->clock.second, .ms = room->now_ms};
    mount_answer(&room->mounts, place, &want, parsed->path, parsed->path_len, clock, delivery_boundary(&want), found);
    const delivery *plan = &found->delivery;
    if (plan->status == 404 && place->passes) {
        return FILES_PASSED;
    }
    const response res = {
        .status = plan->status,
        .fields = plan->fields,
        .fields_len = plan->fields_len,
        .body_len = plan->body_len,
    };
    bool served;
    if (found->fd >= 0) {
        served = files_ship(room, con, kind, res, found);
    } else if (plan->fields_len > 0) {
        served = files_write_content(room, con, kind, res, found);
    } else {
        served = files_write_plainly(room, con, kind, parsed, plan->status);
    }
    if (!served) {
        return FILES_ROOM;
    }
    con->closing = con->closing || !kind.keep_alive;
    con->served++;
    deadline_restart(con);
    stats_add(&room->stats.files, 1);
    return FILES_SERVED;
}

void files_settle(conn_room *room, conn *con) {
    while (con->shipping && con->sink.pending.len == 0 && !con->sink.broken && !con->waiting) {
        exchange *ex = &room->handles.slots[con->first];
        size_t sent = 0;
        assert(ex->cargo != NULL);
        const shipment_step step = shipment_send(ex->cargo, con->sink.fd, &sent);
        if (sent > 0) {
            deadline_on_moved(room, con, sent);
        }
        if (step == SHIPMENT_FULL) {
            return;
        }
        if (step == SHIPMENT_LOST) {
            con->sink.broken = true;
            return;
        }
        if (step == SHIPMENT_DONE) {
            con->shipping = false;
            exchange_finish(room, con); /* and the next may be a file as well */
            output_flush(&room->out);
        }
        if (con->shipping || con->readable || intake_kept(con)) { /* in its turn */
            room->eager = true;
            room_wait(room, con, false);
        }
    }
}
