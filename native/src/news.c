/* What there is to tell of exchanges; see news.h.
 *
 * Owns:  the links between the slots on the list.
 * Knows: handles.
 * Never: frees a slot that is on the list.
 */
#include "news.h"

#include "stream.h"
#include "tinybeam.h"

void news_push(conn_room *room, uint32_t slot, uint8_t what) {
    exchange *ex = &room->handles.slots[slot];
    const bool listed = ex->news != 0;
    ex->news = (uint8_t)((what & TB_NEWS_GONE ? ex->news & ~TB_NEWS_MORE : ex->news) | what); /* gone wants no more */
    if (listed) {
        return;
    }
    ex->news_next = HANDLE_NONE;
    if (room->news_first == HANDLE_NONE) {
        room->news_first = slot;
    } else {
        room->handles.slots[room->news_last].news_next = slot;
    }
    room->news_last = slot;
}

void news_release(conn_room *room, uint32_t slot) {
    exchange *ex = &room->handles.slots[slot];
    if (ex->news == 0) {
        handle_close(&room->handles, slot);
        return;
    }
    ex->conn = NULL;
    ex->stream = STREAM_GONE;
}

bool news_pending(const conn_room *room) {
    return room->news_first != HANDLE_NONE;
}

void news_take(conn_room *room, uint64_t *news, uint32_t pairs_max) {
    uint32_t count = 0;
    while (room->news_first != HANDLE_NONE && count < pairs_max) {
        const uint32_t slot = room->news_first;
        exchange *ex = &room->handles.slots[slot];
        room->news_first = ex->news_next;
        news[1 + 2 * count] = handle_of(&room->handles, slot);
        news[2 + 2 * count] = ex->news;
        count++;
        ex->news = 0;
        if (ex->stream == STREAM_GONE) {
            handle_close(&room->handles, slot);
        }
    }
    news[0] = count;
}
