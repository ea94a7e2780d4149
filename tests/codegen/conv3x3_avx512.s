# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rdx, qword ptr [rdi + 16]
    add rdx, 96
    xor esi, esi
    vxorps xmm0, xmm0, xmm0
.L0:
    vmovaps ymm1, ymmword ptr [rax + 288]
    vbroadcastss zmm2, dword ptr [rcx + rsi + 12]
    vmovaps ymm3, ymmword ptr [rax]
    vmovaps ymm4, ymmword ptr [rax + 32]
    vmovaps ymm5, ymmword ptr [rax + 64]
    vmovaps ymm6, ymmword ptr [rax + 96]
    vmovaps zmm7, zmm3
    vfmadd213ps zmm7, zmm2, zmm1
    vbroadcastss zmm8, dword ptr [rcx + rsi + 16]
    vmovaps zmm9, zmm4
    vfmadd213ps zmm9, zmm8, zmm0
    vbroadcastss zmm10, dword ptr [rcx + rsi + 8]
    vaddps zmm7, zmm7, zmm9
    vmovaps zmm9, zmm3
    vfmadd213ps zmm9, zmm10, zmm1
    vmovaps zmm11, zmm4
    vfmadd213ps zmm11, zmm2, zmm0
    vaddps zmm9, zmm11, zmm9
    vbroadcastss zmm11, dword ptr [rcx + rsi + 4]
    vmovaps zmm12, zmm3
    vfmadd213ps zmm12, zmm11, zmm1
    vmovaps zmm13, zmm4
    vfmadd213ps zmm13, zmm10, zmm0
    vaddps zmm12, zmm13, zmm12
    vfmadd132ps zmm3, zmm1, dword ptr [rcx + rsi]{1to16}
    vfmadd213ps zmm4, zmm11, zmm0
    vaddps zmm3, zmm4, zmm3
    vfmadd231ps zmm3, zmm5, zmm10
    vfmadd231ps zmm12, zmm5, zmm2
    vfmadd231ps zmm9, zmm5, zmm8
    vfmadd231ps zmm7, zmm5, dword ptr [rcx + rsi + 20]{1to16}
    vbroadcastss zmm4, dword ptr [rcx + rsi + 36]
    vfmadd231ps zmm7, zmm4, zmm6
    vbroadcastss zmm5, dword ptr [rcx + rsi + 40]
    vmovaps ymm8, ymmword ptr [rax + 128]
    vmovaps zmm1, zmm8
    vfmadd213ps zmm1, zmm5, zmm0
    vbroadcastss zmm10, dword ptr [rcx + rsi + 32]
    vaddps zmm2, zmm7, zmm1
    vfmadd231ps zmm9, zmm10, zmm6
    vmovaps zmm1, zmm8
    vfmadd213ps zmm1, zmm4, zmm0
    vaddps zmm1, zmm1, zmm9
    vbroadcastss zmm7, dword ptr [rcx + rsi + 28]
    vfmadd231ps zmm12, zmm7, zmm6
    vmovaps zmm9, zmm8
    vfmadd213ps zmm9, zmm10, zmm0
    vfmadd231ps zmm3, zmm6, dword ptr [rcx + rsi + 24]{1to16}
    vaddps zmm6, zmm9, zmm12
    vfmadd213ps zmm8, zmm7, zmm0
    vaddps zmm3, zmm8, zmm3
    vmovaps ymm7, ymmword ptr [rax + 160]
    vfmadd231ps zmm3, zmm7, zmm10
    vfmadd231ps zmm6, zmm7, zmm4
    vfmadd231ps zmm2, zmm7, dword ptr [rcx + rsi + 44]{1to16}
    vfmadd231ps zmm1, zmm7, zmm5
    vbroadcastss ymm4, dword ptr [rcx + rsi + 60]
    vbroadcastss zmm5, xmm4
    vmovaps ymm7, ymmword ptr [rax + 192]
    vfmadd231ps zmm2, zmm5, zmm7
    vbroadcastss ymm8, dword ptr [rcx + rsi + 64]
    vbroadcastss zmm9, xmm8
    vmovaps ymm10, ymmword ptr [rax + 224]
    vbroadcastss ymm11, dword ptr [rcx + rsi + 56]
    vfmadd213ps zmm9, zmm10, zmm0
    vbroadcastss zmm12, xmm11
    vfmadd231ps zmm1, zmm12, zmm7
    vfmadd213ps zmm5, zmm10, zmm0
    vbroadcastss zmm13, dword ptr [rcx + rsi + 52]
    vfmadd231ps zmm6, zmm13, zmm7
    vfmadd213ps zmm12, zmm10, zmm0
    vfmadd231ps zmm3, zmm7, dword ptr [rcx + rsi + 48]{1to16}
    vfmadd213ps zmm10, zmm13, zmm0
    vmovaps ymm7, ymmword ptr [rax + 256]
    vaddps ymm3, ymm10, ymm3
    vaddps ymm2, ymm9, ymm2
    vfmadd231ps ymm2, ymm7, dword ptr [rcx + rsi + 68]{1to8}
    vfmadd231ps ymm3, ymm7, ymm11
    vmovups ymmword ptr [rdx - 96], ymm3
    vaddps ymm3, ymm12, ymm6
    vfmadd231ps ymm3, ymm7, ymm4
    vmovups ymmword ptr [rdx - 64], ymm3
    vaddps ymm1, ymm5, ymm1
    vfmadd231ps ymm1, ymm8, ymm7
    vmovups ymmword ptr [rdx - 32], ymm1
    vmovups ymmword ptr [rdx], ymm2
    sub rdx, -128
    add rsi, 24
    cmp rsi, 96
    jne .L0
    vzeroupper
    ret
