//go:build cgo && (linux || (windows && vpx))

#include "planes.h"

#include <string.h>

#define ROW(type, name) static type name##_plain
#include "planes.inc"
#undef ROW

// For Windows only as windows.sh builds it: it says why.
#if defined(__x86_64__) && (!defined(_WIN32) || defined(MF_UNALIGNED_MOVES))
#define HAS_AVX2
#endif

#if defined(HAS_AVX2)
#define ROW(type, name) __attribute__((target("avx2"))) static type name##_avx2
#include "planes.inc"
#undef ROW
#endif

typedef struct {
	void (*luma)(uint8_t *, const uint32_t *, int);
	void (*chroma444)(uint8_t *, uint8_t *, const uint32_t *, int);
	void (*chroma420)(uint8_t *, uint8_t *, const uint32_t *, const uint32_t *, int);
	void (*half)(uint32_t *, const uint32_t *, const uint32_t *, int);
	void (*blend)(uint32_t *, const uint32_t *, const uint32_t *, uint32_t, uint32_t, int);
	void (*narrow)(uint32_t *, const uint32_t *, int);
} loops;

static const loops plain = {luma_plain, chroma444_plain, chroma420_plain, half_plain, blend_plain, narrow_plain};
#if defined(HAS_AVX2)
static const loops avx2 = {luma_avx2, chroma444_avx2, chroma420_avx2, half_avx2, blend_avx2, narrow_avx2};
#endif

static const loops *best(void) {
#if defined(HAS_AVX2)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2")) return &avx2;
#endif
	return &plain;
}

static int less(int a, int b) { return a < b ? a : b; }

// One row of the planes' picture, pixels [x0, x1), as 32-bit pixels: the source's
// own row where nothing is scaled, else made in dst. The result's first pixel is x0.
static const uint32_t *row(const loops *f, const mf_source *s, const mf_planes *p, int scale, int y, int x0, int x1, uint32_t *dst) {
	const uint32_t *last = s->pix + (long)(s->h - 1) * s->stride;
	uint32_t *wide = p->rows + 2 * (p->w + 4);
	if (scale == 0) return s->pix + (long)y * s->stride + x0;
	if (scale == 2) {
		const uint32_t *a = s->pix + (long)(2 * y) * s->stride, *c = 2 * y + 1 < s->h ? a + s->stride : last;
		int n = less(x1, s->w / 2) - x0;
		if (n > 0) f->half(dst, a + 2 * x0, c + 2 * x0, n);
		if (x1 > s->w / 2) { // an odd last column
			uint32_t a2[2] = {a[s->w - 1], a[s->w - 1]}, c2[2] = {c[s->w - 1], c[s->w - 1]};
			f->half(dst + (x1 - 1 - x0), a2, c2, 1);
		}
		return dst;
	}
	// Three rows of four: 3:1, 1:1, 1:3; then the same in each row.
	static const int first[3] = {0, 1, 2}, weight[3] = {3, 2, 1};
	int y0 = y / 3 * 4 + first[y % 3], y1 = less(y0 + 1, s->h - 1);
	y0 = less(y0, s->h - 1);
	int from = x0 / 3 * 4, to = less((x1 + 2) / 3 * 4, s->w);
	f->blend(wide, s->pix + y0 * s->stride + from, s->pix + y1 * s->stride + from, weight[y % 3], 4 - weight[y % 3], to - from);
	int groups = (x1 + 2) / 3 - x0 / 3;
	for (int i = to - from; i < 4 * groups; i++) wide[i] = wide[to - from - 1];
	f->narrow(dst, wide, groups);
	return dst + x0 % 3;
}

void mf_convert(const mf_source *s, const mf_planes *p, int scale, int x0, int y0, int x1, int y1) {
	const loops *f = best();
	uint32_t *one = p->rows, *two = p->rows + p->w + 4;
	for (int y = y0; y < y1; y += 2) {
		int pair = y + 1 < y1;
		const uint32_t *a = row(f, s, p, scale, y, x0, x1, one);
		const uint32_t *c = pair ? row(f, s, p, scale, y + 1, x0, x1, two) : a;
		f->luma(p->y + (long)y * p->y_stride + x0, a, x1 - x0);
		if (pair) f->luma(p->y + (long)(y + 1) * p->y_stride + x0, c, x1 - x0);
		if (p->i444) {
			f->chroma444(p->u + (long)y * p->uv_stride + x0, p->v + (long)y * p->uv_stride + x0, a, x1 - x0);
			if (pair) f->chroma444(p->u + (long)(y + 1) * p->uv_stride + x0, p->v + (long)(y + 1) * p->uv_stride + x0, c, x1 - x0);
			continue;
		}
		long at = (long)(y / 2) * p->uv_stride + x0 / 2;
		f->chroma420(p->u + at, p->v + at, a, c, (x1 - x0) / 2);
		if ((x1 - x0) % 2) { // an odd last column
			uint32_t a2[2] = {a[x1 - x0 - 1], a[x1 - x0 - 1]}, c2[2] = {c[x1 - x0 - 1], c[x1 - x0 - 1]};
			f->chroma420(p->u + at + (x1 - x0) / 2, p->v + at + (x1 - x0) / 2, a2, c2, 1);
		}
	}
}
