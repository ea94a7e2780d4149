/* Reads the test images with the network, from C. */
#include "digits.h"

void put(const char *text);

/* The images, one byte per pixel, from weights/images.bin. */
extern const uint8_t images[5][DIGITS_PIXELS];

static float image[DIGITS_PIXELS], scores[DIGITS_SCORES];
static DigitsMemory memory;

/* Prints the bits of a number in hexadecimal. */
static void print(float number)
{
    union { float number; uint32_t bits; } value = {number};
    char text[] = " 0x00000000";
    for (int digit = 0; digit < 8; digit++)
        text[3 + digit] = "0123456789abcdef"[value.bits >> (28 - 4 * digit) & 15];
    put(text);
}

int main(void)
{
    for (int shown = 0; shown < 5; shown++) {
        for (int pixel = 0; pixel < DIGITS_PIXELS; pixel++)
            image[pixel] = (float)images[shown][pixel] / 255.0f;
        digits_evaluate(image, scores, &memory);
        int best = 0;
        for (int digit = 1; digit < DIGITS_SCORES; digit++)
            if (scores[digit] > scores[best])
                best = digit;
        const char answer[] = {'0' + (char)best, '\n', 0};
        put("digit ");
        put(answer);
        put("scores");
        for (int digit = 0; digit < DIGITS_SCORES; digit++)
            print(scores[digit]);
        put("\n");
    }
    return 0;
}
