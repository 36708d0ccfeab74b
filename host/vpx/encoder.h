#pragma once
#include <stddef.h>
#include <stdint.h>

#include "planes.h"

typedef struct mf_encoder mf_encoder;

typedef struct {
	int vp9, i444, w, h, kbps, threads, speed, min_q, max_q;
} mf_config;

typedef struct {
	const void *data;
	size_t size;
	int key;
} mf_frame;

// NULL: error tells why, in memory that stays.
mf_encoder *mf_new(const mf_config *c, const char **error);
void mf_load(mf_encoder *e, const uint32_t *pix, long stride, int w, int h, int scale, int x0, int y0, int x1, int y1);
// These return NULL, or an error in memory that stays until the next call.
const char *mf_active(mf_encoder *e, uint8_t *map, int rows, int cols);
const char *mf_rate(mf_encoder *e, int kbps);
const char *mf_speed(mf_encoder *e, int speed);
const char *mf_encode(mf_encoder *e, int64_t pts, int64_t duration, int key);
// What mf_encode made, until the next call.
const mf_frame *mf_out(const mf_encoder *e);
void mf_free(mf_encoder *e);
// A copy of plane i (Y, U, V): rows of w bytes. For tests.
void mf_plane(mf_encoder *e, int i, uint8_t *to, int w, int h);
