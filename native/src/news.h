/* What there is to tell of exchanges whose bodies come or go in parts.
 *
 * Owns:  the list of those exchanges, each on it once.
 * Knows: that a slot on the list must outlive its exchange until that has been told.
 * Never: tells a thing twice.
 */
#ifndef TINYBEAM_NEWS_H
#define TINYBEAM_NEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "room.h"

/* There is this to tell, beside what there was: TB_NEWS_... */
void news_push(conn_room *room, uint32_t slot, uint8_t what);
/* The exchange is over: closes its slot, at once or when what there is to tell has been told. */
void news_release(conn_room *room, uint32_t slot);
/* Whether there is anything to tell. */
bool news_pending(const conn_room *room);
/* Takes what there is to tell: how many pairs, then the pairs. Closes the slots that were kept for it. */
void news_take(conn_room *room, uint64_t *news, uint32_t pairs_max);

#endif
