/* The contract between the engine and whoever drives it.
 *
 * Owns:  the exported functions, their codes and flags, and the shape of the terms that cross the border.
 * Knows: nothing of Python; a caller is any thread that can make a C call.
 * Never: a callback. C is only asked (DESIGN: data flows one way).
 *
 * Terms are MessagePack. The two that matter:
 *
 *   batch   = [ request, ... ]                         written by tb_engine_poll
 *   request = [ handle:uint, method:str, path:str, query:str|nil, fields:bin, peer:bin, prefix:str, body:bin ]
 *           | [ ... body:bin, trailers:bin ]                   its trailer section was not empty
 *           | [ ... body:bin, trailers:bin, offered:bool ]     its head only: see TB_POLL_OFFER
 *     path    the target's path as sent, still percent-encoded ("*" for OPTIONS *, "host:port" for CONNECT)
 *     query   what follows the first '?', nil when there is none
 *     fields  "\nname:value\nname:value\n"; names lower-cased, values trimmed and free of control characters
 *     peer    port (2 octets, network order) then the 4 or 16 octets of the address; empty for a unix socket
 *     prefix  "http://authority" of an absolute-form target, otherwise ""
 *     trailers  in the form of fields; they are never merged with these (RFC 9110 §6.5.1)
 *
 *   answers = [ answer, ... ]                          read by tb_engine_poll and tb_engine_respond
 *   answer  = [ handle:uint, kind:uint, body ]                        200 with a TB_KIND_... content type
 *           | [ handle:uint, status:uint, fields:bin|str, body ]      fields = "Name: value\r\n" per field
 *           | [ handle:uint, TB_KIND_CONTINUE, body_bytes_max:uint ]  an offered request's body is wanted, up to this
 *           | [ handle:uint, TB_KIND_STREAM, status:uint, fields:bin|str, length:uint ]  the body comes in parts
 *           | [ handle:uint, TB_KIND_PART, body ]            and so on; see there
 *           | [ handle:uint, TB_KIND_HINTS, fields:bin|str ]  "103 Early Hints", before the answer
 *     body    bin | str | nil
 */
#ifndef TINYBEAM_H
#define TINYBEAM_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TB_EXPORT __attribute__((visibility("default")))
#else
#define TB_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TB_ABI_VERSION 5

/* Codes. Every call returns TB_OK (or a count, where said) or one of these; nothing aborts. */
#define TB_OK 0
#define TB_EINVAL (-1)        /* an argument no caller should pass */
#define TB_ENOMEM (-2)        /* out of memory; nothing was changed */
#define TB_EBADHANDLE (-3)    /* forged, stale, or another engine's handle */
#define TB_EALREADY (-4)      /* this handle was answered before */
#define TB_EDISCONNECTED (-5) /* the client left first; the handle is spent */
#define TB_ESHUTDOWN (-6)     /* the engine is closed */
#define TB_EFORKED (-7)       /* this is a forked child; the engine belongs to its parent */
#define TB_EBUFFER (-8)       /* the batch buffer cannot hold the next request; tb_engine_batch_bytes says what can */
#define TB_ETERM (-9)         /* the answers are not well-formed terms; those before the bad one were taken */
#define TB_ELIMIT (-10)       /* too many runners, constants or listeners */
#define TB_EWAIT (-11)        /* nothing has come yet; TB_NEWS_BODY follows */
#define TB_EBODY (-500)       /* TB_EBODY - status: the rest of the body is refused with this status */
#define TB_ESYSTEM (-1000)    /* TB_ESYSTEM - errno: the operating system refused */

/* Content kinds of a short answer. */
#define TB_KIND_TEXT 1
#define TB_KIND_JSON 2
#define TB_KIND_BYTES 3
#define TB_KIND_HTML 4
/* Not an answer yet: spends the handle of an offered request and asks for its body. The client is sent "100 Continue"
 * if it waits for that, or 413 if its body is longer; the whole request comes in a later batch, with another handle. */
#define TB_KIND_CONTINUE 100
/* Begins an answer whose body comes in parts, of `length` octets in all, or of as many as come where that is
 * TB_LENGTH_UNKNOWN. TB_NEWS_MORE follows when the first part is wanted. The handle is spent as an answer, and from
 * then on names the stream: */
#define TB_KIND_STREAM 101
#define TB_KIND_PART 102 /* the next octets of the body */
#define TB_KIND_ASK 103  /* the same; and TB_NEWS_MORE is wanted once the client has taken nearly all */
#define TB_KIND_END 104  /* the body is whole; with fields as its body: the trailer section, where there can be one */
#define TB_KIND_CUT 105  /* it will never be: the client is cut off in a way that it cannot take for the end */
/* Not an answer either: the client is told these fields ahead of it (RFC 8297), where it can be. */
#define TB_KIND_HINTS 106
#define TB_KIND_LAST 107 /* the last octets of a stream: TB_KIND_PART, and TB_KIND_END without fields */
#define TB_LENGTH_UNKNOWN UINT64_MAX

/* What tb_engine_poll returns when it is not negative:
 * bits 0-31 length of the batch, bits 32-47 a runner (65535: none), bits 48-62 flags. */
#define TB_POLL_WAKE 1      /* tb_engine_wake was called */
#define TB_POLL_SIGNAL 2    /* an octet came through the wakeup fd */
#define TB_POLL_RESUME 4    /* you now hold the scheduler, taken from the runner in bits 32-47, which is blocked */
#define TB_POLL_SPARE 8     /* no runner is left on stand-by: start one */
#define TB_POLL_RETIRE 16   /* you are one stand-by too many: close your runner and leave */
#define TB_POLL_DRAINED 32  /* drain has finished: no connection is open */
#define TB_POLL_OFFER 64    /* the batch has a request without its body: answer it, or say TB_KIND_CONTINUE */
#define TB_POLL_OVERDUE 128 /* requests have met their deadline: tb_engine_overdue names them */
#define TB_POLL_NEWS 256    /* there is something to tell of streams: see tb_runner_news */

/* What there is to tell of a body that comes or goes in parts; several at once, added up. */
#define TB_NEWS_MORE 1 /* the client has taken nearly all there was, after TB_KIND_ASK */
#define TB_NEWS_GONE 2 /* nobody reads the stream any more; its handle is stale now */
#define TB_NEWS_BODY 4 /* after TB_EWAIT: ask again */
#define TB_NEWS_MAX 255

#define TB_NO_RUNNER UINT32_MAX

/* What a runner is doing, in the octet of tb_runner_phase. */
#define TB_PHASE_WAITING 0
#define TB_PHASE_RUNNING 1
#define TB_PHASE_MIXED 2

/* Every knob of an engine; see tinybeam/config.py for the reasons behind the defaults. Zero means "the default". */
typedef struct tb_config {
    uint64_t request_line_bytes_max;
    uint64_t header_bytes_max;
    uint64_t header_fields_max;
    uint64_t body_bytes_max;
    uint64_t body_offer_bytes; /* a body that is, or may become, longer is offered first; the default is never */
    uint64_t chunk_extension_bytes_max;
    uint64_t batch_requests_max;
    uint64_t pipeline_requests_max;
    uint64_t connection_requests_max;
    uint64_t handles_max;
    uint64_t connections_max;
    uint64_t header_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t keepalive_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t linger_timeout_ms;
    uint64_t request_timeout_ms;
    uint64_t transfer_bytes_per_s_min; /* of a body and of a response, once they are slow */
    uint64_t takeover_ms;
    uint64_t standby_idle_ms;
    uint64_t file_cache_bytes_max; /* of all hot small files; 1 is as good as none */
} tb_config;

/* Counters since the engine was opened, except those marked "now". */
typedef struct tb_stats {
    uint64_t connections_open; /* now */
    uint64_t connections_accepted;
    uint64_t accept_errors;
    uint64_t requests;         /* handed to a runner */
    uint64_t requests_refused; /* malformed or over a limit; answered in C */
    uint64_t constants;        /* answered in C from a constant */
    uint64_t handles_open;     /* now: handed out and not answered */
    uint64_t answers_refused;  /* second, stale or forged answers */
    uint64_t answers_late;     /* the client had left */
    uint64_t requests_shed;    /* answered 503 in C: no handle was free */
    uint64_t requests_overdue; /* answered 504 in C: the handler overran */
    uint64_t timeouts_header;  /* connections that were closed by a deadline, by which one it was */
    uint64_t timeouts_body;
    uint64_t timeouts_keepalive;
    uint64_t timeouts_write;
    uint64_t polls;
    uint64_t takeovers;
    uint64_t runners;  /* now */
    uint64_t standbys; /* now */
    uint64_t streams;  /* now: answers that come in parts, and are not whole yet */
    uint64_t files;    /* requests beneath a mount that were answered in C */
} tb_stats;

typedef struct tb_engine tb_engine;

TB_EXPORT uint32_t tb_abi_version(void);
TB_EXPORT uint64_t tb_config_size(void);
TB_EXPORT uint64_t tb_stats_size(void);

/* Opens an engine: its poll set, handle table and monitor thread. Nothing listens yet. */
TB_EXPORT int32_t tb_engine_open(const tb_config *config, tb_engine **engine);
/* Closes it: every waiter wakes with TB_ESHUTDOWN, and when the last caller has left the sockets close; then it
 * returns. Exactly one caller gets TB_OK, all others TB_ESHUTDOWN, at once. */
TB_EXPORT int32_t tb_engine_close(tb_engine *engine);
/* Frees what remains of a closed engine; the caller vouches that no call is or will be made on it. */
TB_EXPORT void tb_engine_free(tb_engine *engine);
/* Before a fork, by the thread that forks: holds the engine's descriptors as they are, so that the child can know which
 * they are. Only moments may pass until tb_engine_after_fork, which the parent calls in the same thread. */
TB_EXPORT int32_t tb_engine_before_fork(tb_engine *engine);
TB_EXPORT int32_t tb_engine_after_fork(tb_engine *engine);
/* In a forked child: closes the child's copies of the descriptors with plain close and marks the engine TB_EFORKED. */
TB_EXPORT int32_t tb_engine_abandon(tb_engine *engine);

/* Listens on every address that host resolves to. Returns the port (the one chosen, where port was 0), or a code. Like
 * the next two, it is for the one thread that sets the engine up, before the first poll. */
TB_EXPORT int32_t tb_engine_listen(tb_engine *engine, const char *host, uint16_t port, uint32_t backlog);
/* Listens on a unix socket; a dead socket file in the way is removed, a live one or another file is an error. */
TB_EXPORT int32_t tb_engine_listen_unix(tb_engine *engine, const char *path, uint32_t backlog);
/* Adds a constant: GET and HEAD of this exact path are answered in C. Before tb_engine_listen only. */
TB_EXPORT int32_t tb_engine_add_constant(tb_engine *engine, const void *path, size_t path_len, uint32_t status,
                                         const void *fields, size_t fields_len, const void *body, size_t body_len);
#define TB_STATIC_HIDDEN 1        /* names that begin with a dot are found too */
#define TB_STATIC_PRECOMPRESSED 2 /* name.br, name.zst and name.gz are sent in place of name to who takes them */
#define TB_STATIC_PASS 4          /* what is not found goes on to the router, instead of a 404 */
typedef struct tb_static {
    const char *index;  /* what stands for a directory; NULL: directories are not found */
    const void *fields; /* "Name: value\r\n" for each, at most 1024 octets; of 200, 206 and 304 */
    uint64_t fields_len;
    uint64_t flags; /* TB_STATIC_... */
} tb_static;
/* Serves the files of a directory to GET and HEAD beneath a prefix, "" or "/a/b". Before tb_engine_listen only. */
TB_EXPORT int32_t tb_engine_add_static(tb_engine *engine, const void *prefix, size_t prefix_len, const char *directory,
                                       const tb_static *options);
/* Stops accepting, closes idle connections, ends the others after their answer. TB_POLL_DRAINED follows. */
TB_EXPORT int32_t tb_engine_drain(tb_engine *engine);
/* Makes the scheduler's poll return with TB_POLL_WAKE. Any thread. */
TB_EXPORT int32_t tb_engine_wake(tb_engine *engine);
/* A non-blocking descriptor; an octet written to it ends the poll with TB_POLL_SIGNAL (for signal.set_wakeup_fd). A
 * signal by itself does not end a poll. */
TB_EXPORT int32_t tb_engine_wakeup_fd(tb_engine *engine);

/* Registers the calling thread as a runner. Returns its number, or a code. The first one holds the scheduler. */
TB_EXPORT int32_t tb_runner_open(tb_engine *engine);
/* The runner leaves. If it held the scheduler, a runner on stand-by gets it, or the next one that opens or polls. */
TB_EXPORT int32_t tb_runner_close(tb_engine *engine, uint32_t runner);
/* One octet, valid until tb_engine_free. A poll clears it; the runner sets it to TB_PHASE_RUNNING when its batch is
 * decoded and it begins to run handlers. Only then can its scheduler be taken: a runner that waits for the interpreter
 * is not blocked. With TB_PHASE_MIXED it says that it does other things as well before its next poll, from the time of
 * which nothing follows for how many requests make a batch. */
TB_EXPORT uint8_t *tb_runner_phase(tb_engine *engine, uint32_t runner);
/* What the runner's last poll had to tell, where its flags say TB_POLL_NEWS: how many pairs, then the handle of a
 * request and TB_NEWS_... for each; 1 + 2 * TB_NEWS_MAX numbers, valid until tb_engine_free. */
TB_EXPORT uint64_t *tb_runner_news(tb_engine *engine, uint32_t runner);
/* Answers 500 to every request of the runner's last batch that is still open. For a runner that crashed. */
TB_EXPORT int32_t tb_runner_forfeit(tb_engine *engine, uint32_t runner);

/* One turn of a runner: spends the answers, and then
 *  - if it holds the scheduler: flushes, waits for events, parses, and writes a batch;
 *  - if not (its scheduler was taken while it was blocked): waits on stand-by until it is given a scheduler.
 * An answer whose status or fields are not fit for the wire becomes a 500. */
TB_EXPORT int64_t tb_engine_poll(tb_engine *engine, uint32_t runner, const void *answers, size_t answers_len,
                                 void *batch, size_t batch_capacity);
/* The buffer size that the request which met TB_EBUFFER needs. */
TB_EXPORT uint64_t tb_engine_batch_bytes(tb_engine *engine);
/* Spends the handles of these answers from any thread; the holder of the scheduler is woken to write them. Returns
 * TB_OK, or the code of the first answer that was refused (the others were still taken). */
TB_EXPORT int32_t tb_engine_respond(tb_engine *engine, const void *answers, size_t answers_len);
/* One of TB_KIND_PART to TB_KIND_LAST, with its octets: what tb_engine_respond does with one, without a term. From a
 * runner (else TB_NO_RUNNER) that holds the scheduler the octets go out without a detour. After TB_KIND_ASK it may
 * return more than TB_OK: so many octets more would go out at once, and no TB_NEWS_MORE follows. */
TB_EXPORT int32_t tb_engine_push(tb_engine *engine, uint32_t runner, uint64_t handle, uint32_t kind, const void *octets,
                                 size_t len);
/* The body of an offered request will be read in parts, up to this many octets in all, as long as its handle lasts:
 * until its answer is whole. Nothing of it is read, and nobody is told "100 Continue", before the first tb_body_take.
 * This and the next two: any thread. TB_EALREADY when it is read already, or answered. */
TB_EXPORT int32_t tb_body_open(tb_engine *engine, uint64_t handle, uint64_t bytes_max);
/* Takes octets of the body. Their number; 0 at its end; TB_EWAIT when there are none yet; TB_EBODY - status when the
 * rest is malformed (400), late (408) or too long (413), or its trailers are (431), with which the connection ends;
 * TB_EDISCONNECTED when the client has left. While much of it is not taken, the client is not read. */
TB_EXPORT int64_t tb_body_take(tb_engine *engine, uint64_t handle, void *octets, size_t capacity);
/* The trailers of a body that has come to its end, in the form of fields. TB_EBUFFER when they do not fit; they are no
 * longer than header_bytes_max and one octet. */
TB_EXPORT int64_t tb_body_trailers(tb_engine *engine, uint64_t handle, void *octets, size_t capacity);
/* Whether the client of a handle is still there: TB_OK; TB_EDISCONNECTED when it has left, or has shut its side, which
 * may be the same; TB_EALREADY when the request is answered. Any thread. */
TB_EXPORT int32_t tb_engine_client(tb_engine *engine, uint64_t handle);
#define TB_FILE_HEAD 1          /* the request is a HEAD */
#define TB_FILE_PRECOMPRESSED 2 /* as TB_STATIC_PRECOMPRESSED; the clients that take them say so in `asked` */
/* A file as an answer. Fields are "Name: value\r\n" for each. */
typedef struct tb_file {
    const char *path; /* with a root: beneath it, as a part of a URL: "/a%20b/c.txt" */
    const char *root; /* the directory that the file must be in; NULL: the path is the program's own, and any */
    const char *name; /* the end of which gives the type, in place of the path's; or NULL */
    const char *type; /* of the content, at most 120 octets; NULL: by the name */
    const void *fields;
    uint64_t fields_len;
    const void *lasting; /* what is about the file, and not for a 412 or 416: Cache-Control */
    uint64_t lasting_len;
    const void *asked; /* the request's fields, as in its record; NULL: the whole file, whatever they say */
    uint64_t asked_len;
    uint64_t status; /* 200, or that of another answer with this body; from here on written: what was answered */
    uint64_t flags;  /* TB_FILE_... */
    uint64_t length; /* written: of the body */
} tb_file;
/* Answers with a file, from any thread; from a runner (else TB_NO_RUNNER) that holds the scheduler without a detour. It
 * is opened here, by the caller, and so waited for: the scheduler is not held meanwhile. With `asked` and status 200 it
 * is subject to conditions and ranges (RFC 9110 §13, §14), as files beneath a mount are.
 * TB_ESYSTEM - errno when it cannot be opened or read: EISDIR for a directory, ENODEV for what else is no file. Then,
 * and with TB_EINVAL or TB_ENOMEM, nothing was answered. */
TB_EXPORT int32_t tb_engine_send_file(tb_engine *engine, uint32_t runner, uint64_t handle, tb_file *file);
/* Gives an unanswered request another deadline, counted from when it was handed to a runner; 0 is none at all. Any
 * thread; a handle that is spent or overdue by now is left as it is. */
TB_EXPORT int32_t tb_engine_set_timeout(tb_engine *engine, uint64_t handle, uint64_t timeout_ms);
/* Writes the handle and the age in milliseconds of requests that were answered 504, in pairs, oldest first, each once.
 * Returns how many pairs; call again while it fills `pairs`. Those beyond the 1024 latest are counted only. */
TB_EXPORT int32_t tb_engine_overdue(tb_engine *engine, uint64_t *pairs, size_t pairs_max);
TB_EXPORT int32_t tb_engine_stats(tb_engine *engine, tb_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
