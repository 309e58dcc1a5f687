/*
 * Which names things may have. Pure. Names go into URLs, tables and logs and
 * stand where an id is taken, so the rule is strict.
 */

#include "aigw_store.h"


/* Blocks of letters (with the marks that scripts need) beyond ASCII; no
   blanks, controls, direction marks or private use in them. */
static const struct {
    uint32_t  first;
    uint32_t  last;
} letters[] = {
    { 0x00c0, 0x00d6 }, { 0x00d8, 0x00f6 }, { 0x00f8, 0x02af },
    { 0x0300, 0x034e }, { 0x0350, 0x061b }, { 0x061d, 0x167f },
    { 0x1681, 0x180a }, { 0x180f, 0x1fff }, { 0x2c00, 0x2dff },
    { 0x3041, 0x318f }, { 0x31a0, 0x31ff }, { 0x3400, 0x4dbf },
    { 0x4e00, 0xabff }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfdff },
    { 0x20000, 0x323af },
};


/* Decodes one code point of strict UTF-8 (RFC 3629) and returns its length,
   0 if it is none. */
static size_t
decode(const char *text, size_t left, uint32_t *point)
{
    size_t         i, len;
    unsigned char  c;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    c = (unsigned char) text[0];
    len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3
          : c < 0xf5 ? 4 : 0;

    if (len == 0 || len > left) {
        return 0;
    }

    *point = len == 1 ? c : c & (0x7fu >> len);

    for (i = 1; i < len; i++) {
        c = (unsigned char) text[i];

        if ((c & 0xc0) != 0x80) {
            return 0;
        }

        *point = *point << 6 | (c & 0x3f);
    }

    if (*point < least[len] || *point > 0x10ffff
        || (*point >= 0xd800 && *point <= 0xdfff))
    {
        return 0;
    }

    return len;
}


static int
is_letter(uint32_t point)
{
    size_t  i;

    for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (point >= letters[i].first && point <= letters[i].last) {
            return 1;
        }
    }

    return 0;
}


static int
is_name_char(uint32_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'
           || is_letter(c);
}


static int
is_model_char(uint32_t c)
{
    return (c > ' ' && c < 0x7f && c != ',' && c != '*') || is_letter(c);
}


static aigw_err_t
check(aigw_str_t text, size_t max, int (*allowed)(uint32_t))
{
    size_t    i, len;
    uint32_t  point;

    if (text.len == 0 || text.len > max) {
        return AIGW_EINVAL;
    }

    for (i = 0; i < text.len; i += len) {
        len = decode(text.data + i, text.len - i, &point);

        if (len == 0 || !allowed(point)) {
            return AIGW_EINVAL;
        }
    }

    return AIGW_OK;
}


aigw_err_t
aigw_store_check_name(aigw_str_t name)
{
    size_t  i;

    if (check(name, AIGW_NAME_MAX, is_name_char) != AIGW_OK
        || name.data[0] == '-')
    {
        return AIGW_EINVAL;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') {
            return AIGW_OK;
        }
    }

    return AIGW_EINVAL;
}


aigw_err_t
aigw_store_check_model(aigw_str_t name)
{
    return check(name, AIGW_MODEL_MAX, is_model_char);
}
