# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rcx, qword ptr [rdi]
    mov rdx, qword ptr [rdi + 8]
    mov rax, qword ptr [rdi + 16]
    vmovaps ymm0, ymmword ptr [rcx + 256]
    vmovsd xmm1, qword ptr [rdx]
    vmovsd xmm2, qword ptr [rdx + 8]
    vmovsd xmm3, qword ptr [rdx + 16]
    vmovsd xmm4, qword ptr [rdx + 24]
    vmovaps zmm5, zmmword ptr [rip + .constant0]
    vpermps zmm1, zmm5, zmm1
    vfmadd132ps zmm1, zmm0, zmmword ptr [rcx]
    vpermps zmm0, zmm5, zmm2
    vxorps xmm2, xmm2, xmm2
    vfmadd132ps zmm0, zmm2, zmmword ptr [rcx + 64]
    vpermps zmm3, zmm5, zmm3
    vfmadd132ps zmm3, zmm2, zmmword ptr [rcx + 128]
    vaddps zmm1, zmm1, zmm3
    vpermps zmm3, zmm5, zmm4
    vfmadd132ps zmm3, zmm2, zmmword ptr [rcx + 192]
    vaddps zmm0, zmm0, zmm3
    vaddps zmm0, zmm1, zmm0
    vextractf64x4 ymm1, zmm0, 1
    vaddps ymm0, ymm0, ymm1
    vmovups ymmword ptr [rax], ymm0
    vzeroupper
    ret
