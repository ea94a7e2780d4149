# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rdx, qword ptr [rdi + 16]
    vmovaps ymm0, ymmword ptr [rcx + 256]
    vmovsd xmm1, qword ptr [rax]
    vmovsd xmm2, qword ptr [rax + 8]
    vmovsd xmm3, qword ptr [rax + 16]
    vmovaps zmm4, zmmword ptr [rip + .constant0]
    vpermps zmm1, zmm4, zmm1
    vfmadd132ps zmm1, zmm0, zmmword ptr [rcx]
    vmovsd xmm0, qword ptr [rax + 24]
    vpermps zmm2, zmm4, zmm2
    vmulps zmm2, zmm2, zmmword ptr [rcx + 64]
    vpermps zmm3, zmm4, zmm3
    vmulps zmm3, zmm3, zmmword ptr [rcx + 128]
    vaddps zmm1, zmm1, zmm3
    vpermps zmm0, zmm4, zmm0
    vmulps zmm0, zmm0, zmmword ptr [rcx + 192]
    vaddps zmm0, zmm2, zmm0
    vaddps zmm0, zmm1, zmm0
    vextractf64x4 ymm1, zmm0, 1
    vaddps ymm0, ymm0, ymm1
    vmovups ymmword ptr [rdx], ymm0
    vzeroupper
    ret
