#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

#define DIGITS_ALIGNED(bytes) __attribute__((aligned(bytes)))

/**
 * Grey pixels of an image, row by row, from 0 to 1.
 */
#define DIGITS_PIXELS 784

/**
 * Scores: one for each digit; the largest is the answer.
 */
#define DIGITS_SCORES 10

/**
 * Size of the network's workspace, in bytes.
 */
#define DIGITS_MEMORY 6208

/**
 * The network's workspace, one for each task that evaluates. It need not be initialized.
 */
typedef struct DIGITS_ALIGNED(64) {
  uint8_t bytes[DIGITS_MEMORY];
} DigitsMemory;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Recognizes a digit. Allocates nothing and keeps no state; several tasks may call it at once, each
 * with its own memory.
 *
 * # Safety
 * `image` points to `DIGITS_PIXELS` numbers, `scores` to `DIGITS_SCORES` numbers; nothing overlaps.
 */
void digits_evaluate(const float *image, float *scores, DigitsMemory *memory);

/**
 * `run.sh` looks for this name: a program contains it only if something in it can panic.
 */
void panic_is_reachable(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIGITS_H */
