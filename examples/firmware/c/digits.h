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
 * Bytes that the network works in.
 */
#define DIGITS_MEMORY 6208

/**
 * What the network works in, one for every task that evaluates. It need not be initialised.
 */
typedef struct DIGITS_ALIGNED(64) {
  uint8_t bytes[DIGITS_MEMORY];
} DigitsMemory;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Reads a digit. Allocates nothing and keeps nothing; several tasks may call it at once, each with
 * memory of its own.
 *
 * # Safety
 * `image` points to `DIGITS_PIXELS` numbers, `scores` to `DIGITS_SCORES` numbers; nothing overlaps.
 */
void digits_evaluate(const float *image, float *scores, DigitsMemory *memory);

/**
 * `run.sh` looks for this name: it is in a program only if something there can panic.
 */
void panic_is_reachable(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIGITS_H */
