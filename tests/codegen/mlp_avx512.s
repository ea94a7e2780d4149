# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rsi, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rax, qword ptr [rdi + 16]
    mov rdx, qword ptr [rdi + 24]
    vmovaps ymm0, ymmword ptr [rcx + 256]
    vmovsd xmm1, qword ptr [rsi]
    vmovsd xmm2, qword ptr [rsi + 8]
    vmovsd xmm3, qword ptr [rsi + 16]
    vmovaps zmm4, zmmword ptr [rip + .constant0]
    vpermps zmm1, zmm4, zmm1
    vfmadd132ps zmm1, zmm0, zmmword ptr [rcx]
    vmovsd xmm0, qword ptr [rsi + 24]
    vpermps zmm2, zmm4, zmm2
    vmulps zmm2, zmm2, zmmword ptr [rcx + 64]
    vpermps zmm3, zmm4, zmm3
    vmulps zmm3, zmm3, zmmword ptr [rcx + 128]
    vaddps zmm1, zmm1, zmm3
    vpermps zmm0, zmm4, zmm0
    vmulps zmm0, zmm0, zmmword ptr [rcx + 192]
    vaddps zmm0, zmm2, zmm0
    vaddps zmm0, zmm1, zmm0
    vinsertf64x4 zmm1, zmm0, ymm0, 1
    vshuff64x2 zmm0, zmm0, zmm0, 238
    vaddps zmm0, zmm1, zmm0
    vxorps xmm1, xmm1, xmm1
    vmaxps zmm0, zmm1, zmm0
    vmovaps ymmword ptr [rdx], ymm0
    vmovaps ymm1, ymmword ptr [rcx + 544]
    vpermps zmm2, zmm4, zmm0
    vfmadd132ps zmm2, zmm1, zmmword ptr [rcx + 288]
    vmovaps zmm1, zmmword ptr [rip + .constant1]
    vpermps zmm1, zmm1, zmm0
    vmulps zmm1, zmm1, zmmword ptr [rcx + 352]
    vmovaps zmm3, zmmword ptr [rip + .constant2]
    vpermps zmm3, zmm3, zmm0
    vmulps zmm3, zmm3, zmmword ptr [rcx + 416]
    vaddps zmm2, zmm2, zmm3
    vmovaps zmm3, zmmword ptr [rip + .constant3]
    vpermps zmm0, zmm3, zmm0
    vmulps zmm0, zmm0, zmmword ptr [rcx + 480]
    vaddps zmm0, zmm1, zmm0
    vaddps zmm0, zmm2, zmm0
    vextractf64x4 ymm1, zmm0, 1
    vaddps ymm0, ymm0, ymm1
    vxorps xmm1, xmm1, xmm1
    vmaxps ymm0, ymm1, ymm0
    vmovaps ymmword ptr [rdx + 64], ymm0
    vmovaps zmm1, zmmword ptr [rip + .constant4]
    vmovss xmm2, dword ptr [rcx + 608]
    vblendps xmm2, xmm1, xmm2, 1
    vinsertf32x4 zmm1, zmm1, xmm2, 0
    vmovaps ymm2, ymmword ptr [rcx + 576]
    vfmadd213ps zmm2, zmm0, zmm1
    vextractf128 xmm0, ymm2, 1
    vaddps xmm0, xmm2, xmm0
    vmovshdup xmm1, xmm0
    vaddps xmm0, xmm0, xmm1
    vshufpd xmm1, xmm0, xmm0, 1
    vaddss xmm0, xmm0, xmm1
    vmovss dword ptr [rax], xmm0
    vzeroupper
    ret
