/* Content types by the end of a name.
 *
 * Owns:  the table.
 * Knows: which types are text, for which we say that it is UTF-8.
 * Never: looks into a file.
 */
#ifndef TINYBEAM_MIME_H
#define TINYBEAM_MIME_H

#include <stddef.h>

enum { MIME_TYPE_MAX = 80 }; /* octets of a type, at most */

/* The type of a file of this name, in whatever letter case its extension is: "application/octet-stream" for one that is
 * not known, which browsers do not run. */
const char *mime_type(const char *name, size_t len);

#endif
