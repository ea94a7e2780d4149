# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rsi, qword ptr [rdi + 8]
    mov rcx, qword ptr [rdi + 16]
    mov rdx, qword ptr [rdi + 24]
    vmovaps ymm0, ymmword ptr [rax + 256]
    vmovsd xmm1, qword ptr [rsi]
    vmovsd xmm2, qword ptr [rsi + 8]
    vmovaps zmm3, zmmword ptr [rip + .constant0]
    vpermps zmm1, zmm3, zmm1
    vfmadd132ps zmm1, zmm0, zmmword ptr [rax]
    vmovsd xmm0, qword ptr [rsi + 16]
    vpermps zmm2, zmm3, zmm2
    vmulps zmm2, zmm2, zmmword ptr [rax + 64]
    vmovsd xmm4, qword ptr [rsi + 24]
    vpermps zmm0, zmm3, zmm0
    vmulps zmm0, zmm0, zmmword ptr [rax + 128]
    vaddps zmm0, zmm1, zmm0
    vpermps zmm1, zmm3, zmm4
    vmulps zmm1, zmm1, zmmword ptr [rax + 192]
    vaddps zmm1, zmm2, zmm1
    vaddps zmm0, zmm0, zmm1
    vinsertf64x4 zmm1, zmm0, ymm0, 1
    vshuff64x2 zmm0, zmm0, zmm0, 238
    vaddps zmm0, zmm1, zmm0
    vxorps xmm1, xmm1, xmm1
    vmaxps zmm0, zmm1, zmm0
    vmovaps ymmword ptr [rdx], ymm0
    vmovaps ymm1, ymmword ptr [rax + 544]
    vpermps zmm2, zmm3, zmm0
    vfmadd132ps zmm2, zmm1, zmmword ptr [rax + 288]
    vmovaps zmm1, zmmword ptr [rip + .constant1]
    vpermps zmm1, zmm1, zmm0
    vmulps zmm1, zmm1, zmmword ptr [rax + 352]
    vmovaps zmm3, zmmword ptr [rip + .constant2]
    vpermps zmm3, zmm3, zmm0
    vmulps zmm3, zmm3, zmmword ptr [rax + 416]
    vmovaps zmm4, zmmword ptr [rip + .constant3]
    vpermps zmm0, zmm4, zmm0
    vmulps zmm0, zmm0, zmmword ptr [rax + 480]
    vaddps zmm2, zmm2, zmm3
    vaddps zmm0, zmm1, zmm0
    vaddps zmm0, zmm2, zmm0
    vextractf64x4 ymm1, zmm0, 1
    vaddps ymm0, ymm0, ymm1
    vxorps xmm1, xmm1, xmm1
    vmaxps ymm0, ymm1, ymm0
    vmovaps ymmword ptr [rdx + 64], ymm0
    vmulps ymm0, ymm0, ymmword ptr [rax + 576]
    vaddps ymm0, ymm0, ymm1
    vextractf128 xmm1, ymm0, 1
    vaddps xmm0, xmm0, xmm1
    vmovshdup xmm1, xmm0
    vaddps xmm0, xmm0, xmm1
    vshufpd xmm1, xmm0, xmm0, 1
    vaddss xmm0, xmm0, xmm1
    vaddss xmm0, xmm0, dword ptr [rax + 608]
    vmovss dword ptr [rcx], xmm0
    vzeroupper
    ret
