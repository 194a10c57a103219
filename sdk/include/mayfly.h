/* mayfly.h: what a Mayfly function in C includes. Header only; there is no C library.
 *
 *     #include <mayfly.h>
 *
 *     static void hello(const mayfly_request *request, mayfly_response *response) {
 *         mayfly_print(response, "hello, ");
 *         mayfly_write(response, mayfly_body(request));
 *     }
 *     MAYFLY_FUNCTION(hello)
 *
 * docs/abi.md says what the kernel does behind these. Every request finds the program as it was built, with all
 * variables at their first values, or as MAYFLY_INIT left it; nothing is left of the request before.
 */
#ifndef MAYFLY_H
#define MAYFLY_H

#include <stddef.h>
#include <stdint.h>

#define MAYFLY_ABI_VERSION 2
#define MAYFLY_RESPONSE_BASE 0x18000000ul
#define MAYFLY_HEADERS_MAX 1024ul
#define MAYFLY_RESPONSE_BODY 1152ul
#define MAYFLY_LOG_MAX 1024ul
#define MAYFLY_RANDOM_MAX 256ul

/* A run of bytes; text without a final zero. */
typedef struct {
    const char *bytes;
    size_t len;
} mayfly_text;

/* ---- Request: at the address that the entry point gets, read-only, checked by the kernel. ---- */

/* A run of bytes, `offset` from the start of the request. */
typedef struct {
    uint32_t offset, len;
} mayfly_span;

typedef struct {
    uint32_t abi_version;    /* the kernel's */
    uint32_t response_limit; /* most bytes of body that a response may have */
    uint64_t invocation;     /* its number since boot */
    mayfly_span method, path, query, headers, body;
    uint64_t reserved;
} mayfly_request;
_Static_assert(sizeof(mayfly_request) == 64, "the request's layout is fixed");

static inline mayfly_text mayfly_part(const mayfly_request *request, mayfly_span span) {
    return (mayfly_text){(const char *)request + span.offset, span.len};
}

/* GET, POST, ... */
static inline mayfly_text mayfly_method(const mayfly_request *request) {
    return mayfly_part(request, request->method);
}

/* What follows the route: empty, or / and the rest. Not percent-decoded. */
static inline mayfly_text mayfly_path(const mayfly_request *request) {
    return mayfly_part(request, request->path);
}

/* What follows the question mark. Not percent-decoded. */
static inline mayfly_text mayfly_query(const mayfly_request *request) {
    return mayfly_part(request, request->query);
}

static inline mayfly_text mayfly_body(const mayfly_request *request) {
    return mayfly_part(request, request->body);
}

/* Whether `text` is `word`, a string that ends in a zero. */
static inline int mayfly_is(mayfly_text text, const char *word) {
    size_t at = 0;
    while (at < text.len && word[at] != 0 && text.bytes[at] == word[at]) at++;
    return at == text.len && word[at] == 0;
}

static inline char mayfly_lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

static inline int mayfly_is_blank(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\r';
}

/* The value of the first header with this name, in whatever case, without outer blanks; NULL bytes if there is none. */
static inline mayfly_text mayfly_header(const mayfly_request *request, const char *name) {
    mayfly_text lines = mayfly_part(request, request->headers);
    const char *end = lines.bytes + lines.len;
    for (const char *line = lines.bytes; line < end;) {
        const char *stop = line, *at = line, *letter = name;
        while (stop < end && *stop != '\n') stop++;
        while (at < stop && *letter != 0 && mayfly_lower(*at) == mayfly_lower(*letter)) at++, letter++;
        if (*letter == 0 && at < stop && *at == ':') {
            at++;
            while (at < stop && mayfly_is_blank(*at)) at++;
            while (stop > at && mayfly_is_blank(stop[-1])) stop--;
            return (mayfly_text){at, (size_t)(stop - at)};
        }
        line = stop + 1;
    }
    return (mayfly_text){NULL, 0};
}

/* ---- Calls: numbers and codes as in abi/src/call.rs. ---- */

enum { MAYFLY_RESPOND = 1, MAYFLY_LOG = 2, MAYFLY_GROW = 3, MAYFLY_CLOCK = 4, MAYFLY_RANDOM = 5, MAYFLY_FAIL = 6,
       MAYFLY_READY = 7 };
enum {
    MAYFLY_OK = 0, MAYFLY_UNKNOWN_CALL = 1, MAYFLY_BAD_POINTER = 2, MAYFLY_TOO_LONG = 3,
    MAYFLY_OUT_OF_MEMORY = 4, MAYFLY_BAD_STATUS = 5, MAYFLY_BAD_HEADERS = 6, MAYFLY_BAD_REASON = 7, MAYFLY_NOT_NOW = 8,
};
enum { MAYFLY_REASON_PANIC = 1, MAYFLY_REASON_OUT_OF_MEMORY = 2 };

/* Makes a call. Returns its code, and leaves its value where `value` points. */
static inline uint64_t mayfly_call(uint64_t number, uint64_t first, uint64_t second, uint64_t third, uint64_t *value) {
    __asm__ volatile("syscall"
                     : "+a"(number), "+d"(third)
                     : "D"(first), "S"(second)
                     : "rcx", "r11", "memory", "cc",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    *value = third;
    return number;
}

static inline size_t mayfly_length(const char *word) {
    size_t len = 0;
    while (word[len] != 0) len++;
    return len;
}

/* Ends the invocation: the client gets 502, or 507 if the reason is a lack of memory. `why` goes to the console. */
_Noreturn static inline void mayfly_fail(int reason, const char *why) {
    uint64_t value, len = mayfly_length(why);
    mayfly_call(MAYFLY_FAIL, (uint64_t)reason, (uint64_t)why, len < MAYFLY_LOG_MAX ? len : MAYFLY_LOG_MAX, &value);
    __builtin_trap(); /* Refused? Then end in the way that needs no call. */
}

/* Writes one line, its first 1024 bytes, to the machine's console. */
static inline void mayfly_log(const char *line) {
    uint64_t value, len = mayfly_length(line);
    mayfly_call(MAYFLY_LOG, (uint64_t)line, len < MAYFLY_LOG_MAX ? len : MAYFLY_LOG_MAX, 0, &value);
}

/* Adds zeroed memory, rounded up to whole pages, to the end of the heap. NULL if the memory limit does not allow it. */
static inline void *mayfly_grow(size_t bytes) {
    uint64_t start;
    return mayfly_call(MAYFLY_GROW, bytes, 0, 0, &start) == MAYFLY_OK ? (void *)start : NULL;
}

/* Nanoseconds since the machine booted. */
static inline uint64_t mayfly_clock(void) {
    uint64_t nanoseconds;
    if (mayfly_call(MAYFLY_CLOCK, 0, 0, 0, &nanoseconds) != MAYFLY_OK) mayfly_fail(MAYFLY_REASON_PANIC, "no clock");
    return nanoseconds;
}

/* Fills `len` bytes with random ones, fit for keys. */
static inline void mayfly_random(void *out, size_t len) {
    uint64_t value;
    for (size_t at = 0; at < len; at += MAYFLY_RANDOM_MAX) {
        size_t step = len - at < MAYFLY_RANDOM_MAX ? len - at : MAYFLY_RANDOM_MAX;
        if (mayfly_call(MAYFLY_RANDOM, (uint64_t)out + at, step, 0, &value) != MAYFLY_OK)
            mayfly_fail(MAYFLY_REASON_PANIC, "no random bytes");
    }
}

/* ---- Response: built in the window from which the kernel sends it. ---- */

typedef struct {
    uint16_t status; /* 200 at first; may be set to 200-599 */
    uint32_t limit;  /* most bytes of body */
    uint32_t headers_len, body_len;
    const char *wrong; /* why it cannot be sent; NULL if it can */
} mayfly_response;

static inline char *mayfly_window(void) { return (char *)MAYFLY_RESPONSE_BASE; }

/* Adds to the body. Returns 0, or -1 if it does not fit: then the response is not sent, and the client gets 502. */
static inline int mayfly_write(mayfly_response *response, mayfly_text text) {
    if (text.len > response->limit - response->body_len) {
        response->wrong = "the response's body is over its limit (`response` in mayfly.toml)";
        return -1;
    }
    __builtin_memcpy(mayfly_window() + MAYFLY_RESPONSE_BODY + response->body_len, text.bytes, text.len);
    response->body_len += (uint32_t)text.len;
    return 0;
}

/* Adds a string that ends in a zero to the body. */
static inline int mayfly_print(mayfly_response *response, const char *word) {
    return mayfly_write(response, (mayfly_text){word, mayfly_length(word)});
}

/* Adds a number in decimal to the body. */
static inline int mayfly_print_number(mayfly_response *response, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return mayfly_write(response, (mayfly_text){digits + at, sizeof digits - at});
}

/* Adds a header. Returns 0, or -1 if there is no room: then the response is not sent. The kernel checks its form. */
static inline int mayfly_add_header(mayfly_response *response, const char *name, const char *value) {
    const char *parts[] = {name, ": ", value, "\r\n"};
    for (size_t part = 0; part < 4; part++) {
        size_t len = mayfly_length(parts[part]);
        if (len > MAYFLY_HEADERS_MAX - response->headers_len) {
            response->wrong = "the response's headers are over 1024 bytes";
            return -1;
        }
        __builtin_memcpy(mayfly_window() + response->headers_len, parts[part], len);
        response->headers_len += (uint32_t)len;
    }
    return 0;
}

_Noreturn static inline void mayfly_send(const mayfly_response *response) {
    uint64_t value;
    if (response->wrong) mayfly_fail(MAYFLY_REASON_PANIC, response->wrong);
    mayfly_call(MAYFLY_RESPOND, response->status, response->headers_len, response->body_len, &value);
    mayfly_fail(MAYFLY_REASON_PANIC, "the kernel refused the response");
}

/* Makes the program: the entry point, which calls the named function and sends its response. */
#define MAYFLY_FUNCTION(name)                                                 \
    _Noreturn void _start(const mayfly_request *request);                     \
    _Noreturn void _start(const mayfly_request *request) {                    \
        mayfly_response response = {200, request->response_limit, 0, 0, NULL}; \
        name(request, &response);                                             \
        mayfly_send(&response);                                               \
    }

/* Names a void function(void) that runs once, before the first request. What it leaves in variables and on the heap is
 * what every invocation starts with. Time and random bytes cannot be had in it. */
#define MAYFLY_INIT(name)                                                     \
    _Noreturn void mayfly_init(void);                                         \
    _Noreturn void mayfly_init(void) {                                        \
        uint64_t value;                                                       \
        name();                                                               \
        mayfly_call(MAYFLY_READY, 0, 0, 0, &value);                           \
        mayfly_fail(MAYFLY_REASON_PANIC, "the kernel refused the end of the initialisation"); \
    }

/* ---- What the compiler calls by itself. Weak, so that a program of several files may include this in each. ---- */

__attribute__((weak)) void *memcpy(void *to, const void *from, size_t len) {
    void *start = to;
    size_t words = len / 8, rest = len % 8; /* By words, because bytes one at a time are slow under emulation. */
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return start;
}

__attribute__((weak)) void *memmove(void *to, const void *from, size_t len) {
    if ((uintptr_t)to - (uintptr_t)from >= len) return memcpy(to, from, len);
    for (char *last = to; len > 0; len--) {
        last[len - 1] = ((const char *)from)[len - 1];
        __asm__ volatile("" : : : "memory"); /* Keeps the compiler from seeing a memmove here. */
    }
    return to;
}

__attribute__((weak)) void *memset(void *to, int value, size_t len) {
    void *start = to;
    uint64_t word = (unsigned char)value * 0x0101010101010101u;
    size_t words = len / 8, rest = len % 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(word) : "memory");
    return start;
}

__attribute__((weak)) int memcmp(const void *first, const void *second, size_t len) {
    const unsigned char *one = first, *other = second;
    for (size_t at = 0; at < len; at++)
        if (one[at] != other[at]) return one[at] - other[at];
    return 0;
}

#endif
