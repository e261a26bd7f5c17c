/* HTTP-dates: seconds since 1970 from text, and text from seconds.
 *
 * Owns:  the three forms that are read and the one that is written.
 * Knows: RFC 9110 §5.6.7; the calendar since the year 0, by rule, without the locale or the zone of the machine.
 * Never: reads the clock; it is told.
 */
#ifndef TINYBEAM_DATE_H
#define TINYBEAM_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATE_LEN = 29 };

/* Reads any of the three forms, the whole of the octets. The day of the week must be one, but need not be that of the
 * date. A year of two digits is the latest one with these that is at most 50 years after now. */
bool date_read(const uint8_t *octets, size_t len, int64_t now, int64_t *second);
/* Writes DATE_LEN octets of IMF-fixdate. What is before the year 0 or after 9999 becomes the first or the last second
 * that can be told. */
void date_write(char *into, int64_t second);

#endif
