/* Answers as they come in from Python: from the holder of the scheduler, or posted by any other thread.
 *
 * Owns:  nothing of its own: the posted answers are the scheduler's.
 * Knows: the terms of tinybeam.h, and that an answer spends its handle at once while its octets may have to travel.
 * Never: lets two threads at the connections.
 */
#ifndef TINYBEAM_RECEPTION_H
#define TINYBEAM_RECEPTION_H

#include "scheduler.h"

/* Spends answers at once. For the holder only. TB_OK or TB_ETERM. */
int32_t reception_spend(scheduler *sched, const void *answers, size_t len);
/* Spends answers from any thread; the holder is woken to write them. TB_OK or the first code that was not. */
int32_t reception_post(scheduler *sched, const void *answers, size_t len);
/* What has come for a stream: goes out now, or is posted by who does not hold the scheduler. */
int32_t reception_push_part(scheduler *sched, const answer *part, bool holding);
/* Spends one answer, which may have a file with it: now, or by a post of who does not hold the scheduler. The cargo is
 * taken over, whatever comes of it. TB_OK, TB_ENOMEM (the handle is not spent), or why the handle was refused. */
int32_t reception_give(scheduler *sched, const answer *ans, bool holding);
/* Gives a request another deadline. Any thread. TB_OK or TB_ENOMEM. */
int32_t reception_post_timeout(scheduler *sched, uint64_t handle, uint64_t timeout_ms);
/* Does what was posted. For the holder only. */
void reception_take(scheduler *sched);

#endif
