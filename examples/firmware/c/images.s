    .section .rodata
    .global images
images:
    .incbin "../weights/images.bin"
