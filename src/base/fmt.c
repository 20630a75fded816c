/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text.  One pass over the format; nothing is allocated, and the
 * output is bounded by the caller's buffer.
 */
#include <base/fmt.h>
#include <base/string.h>

#define FMT_EINVAL 22
#define FMT_ERANGE 34

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, plus, space, alt;
	int width, precision; /* precision -1: none */
};

static void
put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void
pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void
put_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s);
	if (!sp->left)
		pad(o, ' ', sp->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - (int)n);
}

static void
put_number(struct out *o, const struct spec *sp, uint64_t v, bool neg,
	   unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24], prefix[3];
	int n = 0, np = 0, zeroes, spaces;

	if (sp->alt && v && base == 16) {
		prefix[np++] = '0';
		prefix[np++] = upper ? 'X' : 'x';
	} else if (neg) {
		prefix[np++] = '-';
	} else if (sp->plus || sp->space) {
		prefix[np++] = sp->plus ? '+' : ' ';
	}
	do {
		tmp[n++] = digits[v % base];
		v /= base;
	} while (v);
	if (sp->alt && base == 8 && tmp[n - 1] != '0')
		tmp[n++] = '0';
	if (sp->precision == 0 && n == 1 && tmp[0] == '0')
		n = 0;
	zeroes = sp->precision > n ? sp->precision - n : 0;
	if (sp->zero && !sp->left && sp->precision < 0 && sp->width > n + np)
		zeroes = sp->width - n - np;
	spaces = sp->width - n - np - zeroes;
	if (!sp->left)
		pad(o, ' ', spaces);
	for (int i = 0; i < np; i++)
		put(o, prefix[i]);
	pad(o, '0', zeroes);
	while (n)
		put(o, tmp[--n]);
	if (sp->left)
		pad(o, ' ', spaces);
}

static const char *
parse_count(const char *f, int *n)
{
	*n = 0;
	while (*f >= '0' && *f <= '9') {
		if (*n < 100000)
			*n = *n * 10 + (*f - '0');
		f++;
	}
	return f;
}

static const char *
parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			return f;
	}
}

int
kvsnprintf(char *buf, size_t size, const char *f, va_list ap)
{
	struct out o = { buf, size, 0 };

	for (; *f; f++) {
		struct spec sp = { .precision = -1 };
		int longs = 0, shorts = 0;
		int64_t sv;
		uint64_t v;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(ap, int);
			if (sp.width < 0) {
				sp.left = true;
				sp.width = -sp.width;
			}
			f++;
		} else {
			f = parse_count(f, &sp.width);
		}
		if (*f == '.') {
			if (*++f == '*') {
				sp.precision = va_arg(ap, int);
				f++;
			} else {
				f = parse_count(f, &sp.precision);
			}
		}
		for (;; f++) {
			if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
				longs++;
			else if (*f == 'h')
				shorts++;
			else
				break;
		}
		switch (*f) {
		case 'd':
		case 'i':
			sv = longs ? va_arg(ap, long) : va_arg(ap, int);
			if (shorts)
				sv = shorts > 1 ? (int8_t)sv : (int16_t)sv;
			v = sv < 0 ? -(uint64_t)sv : (uint64_t)sv;
			put_number(&o, &sp, v, sv < 0, 10, false);
			break;
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			v = longs ? va_arg(ap, unsigned long) :
				    va_arg(ap, unsigned);
			if (shorts)
				v = shorts > 1 ? (uint8_t)v : (uint16_t)v;
			sp.plus = sp.space = false;
			put_number(&o, &sp, v, false,
				   *f == 'u' ? 10 :
				   *f == 'o' ? 8 :
					       16,
				   *f == 'X');
			break;
		case 'p':
			sp.alt = true;
			put_number(&o, &sp, (uintptr_t)va_arg(ap, void *),
				   false, 16, false);
			break;
		case 'c': {
			char c = (char)va_arg(ap, int);

			if (!sp.left)
				pad(&o, ' ', sp.width - 1);
			put(&o, c);
			if (sp.left)
				pad(&o, ' ', sp.width - 1);
			break;
		}
		case 's':
			put_string(&o, &sp, va_arg(ap, const char *));
			break;
		case '%':
			put(&o, '%');
			break;
		default: /* unknown, or the format ends: show it as it is */
			put(&o, '%');
			if (!*f)
				f--;
			else
				put(&o, *f);
		}
	}
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}

int
ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int
parse_u64(const char *s, size_t len, unsigned base, uint64_t *out)
{
	uint64_t v = 0;

	if (base == 0) {
		base = 10;
		if (len > 2 && s[0] == '0' && (s[1] | 32) == 'x') {
			base = 16;
			s += 2;
			len -= 2;
		}
	}
	if (!len)
		return -FMT_EINVAL;
	for (; len; s++, len--) {
		unsigned d;

		if (*s >= '0' && *s <= '9')
			d = (unsigned)(*s - '0');
		else if ((*s | 32) >= 'a' && (*s | 32) <= 'f')
			d = (unsigned)((*s | 32) - 'a' + 10);
		else
			return -FMT_EINVAL;
		if (d >= base)
			return -FMT_EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -FMT_ERANGE;
	}
	*out = v;
	return 0;
}
