/* Counts the lines, words and bytes of the request body, as wc does: a function in C. */
#include <mayfly.h>

static void wordcount(const mayfly_request *request, mayfly_response *response) {
    mayfly_text body = mayfly_body(request);
    uint64_t lines = 0, words = 0;
    int in_word = 0;
    for (size_t at = 0; at < body.len; at++) {
        char letter = body.bytes[at];
        int blank = letter == ' ' || (letter >= '\t' && letter <= '\r');
        lines += letter == '\n';
        words += in_word && blank;
        in_word = !blank;
    }
    mayfly_add_header(response, "content-type", "text/plain; charset=utf-8");
    mayfly_print_number(response, lines);
    mayfly_print(response, " lines, ");
    mayfly_print_number(response, words + (uint64_t)in_word);
    mayfly_print(response, " words, ");
    mayfly_print_number(response, body.len);
    mayfly_print(response, " bytes\n");
}

MAYFLY_FUNCTION(wordcount)
