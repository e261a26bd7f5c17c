/* Content types; see mime.h.
 *
 * Owns:  the table, in the order of its extensions.
 * Knows: the registry of IANA, and what browsers expect where that has nothing.
 * Never: names a charset where the content itself does (XML), or where the type has but one (JSON).
 */
#include "mime.h"

#include <stdbool.h>
#include <string.h>

enum { MIME_EXTENSION_MAX = 11 };

#define MIME_UTF8 "; charset=utf-8"

typedef struct mime_row {
    char extension[MIME_EXTENSION_MAX + 1];
    const char *type;
} mime_row;

/* clang-format off */
static const mime_row mime_rows[] = {
    {"3g2", "video/3gpp2"},
    {"3gp", "video/3gpp"},
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"abw", "application/x-abiword"},
    {"ai", "application/postscript"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"apk", "application/vnd.android.package-archive"},
    {"apng", "image/apng"},
    {"appcache", "text/cache-manifest" MIME_UTF8},
    {"arw", "image/x-sony-arw"},
    {"asc", "text/plain" MIME_UTF8},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"azw", "application/vnd.amazon.ebook"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/plain" MIME_UTF8},
    {"cab", "application/vnd.ms-cab-compressed"},
    {"cc", "text/plain" MIME_UTF8},
    {"cer", "application/pkix-cert"},
    {"cjs", "text/javascript" MIME_UTF8},
    {"conf", "text/plain" MIME_UTF8},
    {"cpp", "text/plain" MIME_UTF8},
    {"crt", "application/x-x509-ca-cert"},
    {"css", "text/css" MIME_UTF8},
    {"csv", "text/csv" MIME_UTF8},
    {"cur", "image/x-icon"},
    {"dart", "text/plain" MIME_UTF8},
    {"deb", "application/vnd.debian.binary-package"},
    {"der", "application/x-x509-ca-cert"},
    {"dmg", "application/x-apple-diskimage"},
    {"doc", "application/msword"},
    {"docm", "application/vnd.ms-word.document.macroenabled.12"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"dot", "application/msword"},
    {"dtd", "application/xml-dtd"},
    {"dvi", "application/x-dvi"},
    {"ear", "application/java-archive"},
    {"emf", "image/emf"},
    {"eml", "message/rfc822"},
    {"eot", "application/vnd.ms-fontobject"},
    {"eps", "application/postscript"},
    {"epub", "application/epub+zip"},
    {"exe", "application/octet-stream"},
    {"flac", "audio/flac"},
    {"flv", "video/x-flv"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"go", "text/plain" MIME_UTF8},
    {"gpx", "application/gpx+xml"},
    {"gz", "application/gzip"},
    {"h", "text/plain" MIME_UTF8},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"hqx", "application/mac-binhex40"},
    {"htc", "text/x-component" MIME_UTF8},
    {"htm", "text/html" MIME_UTF8},
    {"html", "text/html" MIME_UTF8},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar" MIME_UTF8},
    {"img", "application/octet-stream"},
    {"ini", "text/plain" MIME_UTF8},
    {"iso", "application/octet-stream"},
    {"jar", "application/java-archive"},
    {"java", "text/plain" MIME_UTF8},
    {"jfif", "image/jpeg"},
    {"jng", "image/x-jng"},
    {"jp2", "image/jp2"},
    {"jpe", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript" MIME_UTF8},
    {"json", "application/json"},
    {"json5", "application/json5"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"kar", "audio/midi"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"kmz", "application/vnd.google-earth.kmz"},
    {"less", "text/plain" MIME_UTF8},
    {"log", "text/plain" MIME_UTF8},
    {"lz", "application/x-lzip"},
    {"lz4", "application/x-lz4"},
    {"lzma", "application/x-lzma"},
    {"m3u", "audio/mpegurl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"markdown", "text/markdown" MIME_UTF8},
    {"md", "text/markdown" MIME_UTF8},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    {"mjs", "text/javascript" MIME_UTF8},
    {"mka", "audio/x-matroska"},
    {"mkv", "video/x-matroska"},
    {"mml", "application/mathml+xml"},
    {"mobi", "application/x-mobipocket-ebook"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"msi", "application/octet-stream"},
    {"mustache", "text/plain" MIME_UTF8},
    {"ndjson", "application/x-ndjson"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"ogx", "application/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"p12", "application/x-pkcs12"},
    {"parquet", "application/vnd.apache.parquet"},
    {"pdf", "application/pdf"},
    {"pem", "application/x-pem-file"},
    {"pfx", "application/x-pkcs12"},
    {"png", "image/png"},
    {"po", "text/plain" MIME_UTF8},
    {"pps", "application/vnd.ms-powerpoint"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"proto", "text/plain" MIME_UTF8},
    {"ps", "application/postscript"},
    {"psd", "image/vnd.adobe.photoshop"},
    {"py", "text/x-python" MIME_UTF8},
    {"rar", "application/vnd.rar"},
    {"rpm", "application/x-rpm"},
    {"rs", "text/plain" MIME_UTF8},
    {"rss", "application/rss+xml"},
    {"rst", "text/plain" MIME_UTF8},
    {"rtf", "application/rtf"},
    {"sass", "text/plain" MIME_UTF8},
    {"scss", "text/plain" MIME_UTF8},
    {"sgml", "text/sgml" MIME_UTF8},
    {"sh", "text/x-sh" MIME_UTF8},
    {"sql", "application/sql"},
    {"srt", "text/plain" MIME_UTF8},
    {"stl", "model/stl"},
    {"svg", "image/svg+xml"},
    {"swf", "application/vnd.adobe.flash.movie"},
    {"tar", "application/x-tar"},
    {"tex", "text/x-tex" MIME_UTF8},
    {"tgz", "application/gzip"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"ts", "video/mp2t"},
    {"tsv", "text/tab-separated-values" MIME_UTF8},
    {"ttc", "font/collection"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain" MIME_UTF8},
    {"usdz", "model/vnd.usdz+zip"},
    {"vcf", "text/vcard" MIME_UTF8},
    {"vsd", "application/vnd.visio"},
    {"vtt", "text/vtt" MIME_UTF8},
    {"war", "application/java-archive"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"whl", "application/zip"},
    {"wma", "audio/x-ms-wma"},
    {"wmf", "image/wmf"},
    {"wmv", "video/x-ms-wmv"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xht", "application/xhtml+xml"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"xpi", "application/x-xpinstall"},
    {"xsd", "application/xml"},
    {"xsl", "application/xslt+xml"},
    {"xslt", "application/xslt+xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};
/* clang-format on */

const char *mime_type(const char *name, size_t len) {
    char extension[MIME_EXTENSION_MAX + 1] = {0};
    size_t start = len;
    while (start > 0 && len - start <= MIME_EXTENSION_MAX && name[start - 1] != '.' && name[start - 1] != '/') {
        start--;
    }
    /* A name that only begins with a dot has no extension. */
    const bool found =
        start > 1 && len - start <= MIME_EXTENSION_MAX && name[start - 1] == '.' && name[start - 2] != '/';
    for (size_t i = 0; found && i < len - start; i++) {
        const char letter = name[start + i];
        extension[i] = letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
    }
    size_t low = 0, high = sizeof mime_rows / sizeof *mime_rows;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(mime_rows[middle].extension, extension);
        if (order == 0) {
            return mime_rows[middle].type;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return "application/octet-stream";
}
