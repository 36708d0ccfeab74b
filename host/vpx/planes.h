// Pixels to planes; included by encoder.c and, for their targets, by planes.inc.
#pragma once
#include <stdint.h>

// What is converted: 32-bit pixels 0x00RRGGBB, rows of stride pixels, w by h of them.
typedef struct {
	const uint32_t *pix;
	long stride;
	int w, h;
} mf_source;

// Where to: planes of a picture of w by h pixels; i444: chroma is not halved.
typedef struct {
	uint8_t *y, *u, *v;
	int y_stride, uv_stride;
	int w, h, i444;
	uint32_t *rows; // two rows of w pixels, and a source row: for scaling
} mf_planes;

// Converts what shows the rows [y0, y1) and columns [x0, x1) of the planes;
// all four even, or the picture's own edge. scale is that of vpx.go.
void mf_convert(const mf_source *s, const mf_planes *p, int scale, int x0, int y0, int x1, int y1);
