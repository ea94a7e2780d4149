# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rdx, qword ptr [rdi + 16]
    add rdx, 96
    xor esi, esi
.L0:
    vmovaps ymm4, ymmword ptr [rcx + 288]
    vmovaps ymm7, ymmword ptr [rcx]
    vmovaps ymm8, ymmword ptr [rcx + 32]
    vmovaps ymm5, ymmword ptr [rcx + 64]
    vmovaps ymm2, ymmword ptr [rcx + 96]
    vmovaps ymm9, ymmword ptr [rcx + 128]
    vmovaps ymm1, ymmword ptr [rcx + 160]
    vmovaps ymm0, ymmword ptr [rcx + 192]
    vmovaps ymm11, ymmword ptr [rcx + 224]
    vbroadcastss ymm6, dword ptr [rax + rsi + 56]
    vbroadcastss ymm13, dword ptr [rax + rsi + 52]
    vmovaps ymm3, ymmword ptr [rcx + 256]
    vmulps ymm14, ymm11, ymm13
    vbroadcastss ymm10, dword ptr [rax + rsi + 32]
    vbroadcastss ymm15, dword ptr [rax + rsi + 28]
    vbroadcastss ymm12, dword ptr [rax + rsi + 8]
    vmulps ymm16, ymm9, ymm15
    vbroadcastss ymm17, dword ptr [rax + rsi + 4]
    vmulps ymm18, ymm8, ymm17
    vbroadcastss ymm19, dword ptr [rax + rsi]
    vfmadd132ps ymm19, ymm4, ymm7
    vaddps ymm18, ymm18, ymm19
    vfmadd231ps ymm18, ymm12, ymm5
    vfmadd231ps ymm18, ymm2, dword ptr [rax + rsi + 24]{1to8}
    vaddps ymm16, ymm16, ymm18
    vfmadd231ps ymm16, ymm10, ymm1
    vfmadd231ps ymm16, ymm0, dword ptr [rax + rsi + 48]{1to8}
    vaddps ymm14, ymm14, ymm16
    vbroadcastss ymm16, dword ptr [rax + rsi + 60]
    vbroadcastss ymm18, dword ptr [rax + rsi + 36]
    vbroadcastss ymm19, dword ptr [rax + rsi + 12]
    vbroadcastss ymm20, dword ptr [rax + rsi + 64]
    vbroadcastss ymm21, dword ptr [rax + rsi + 40]
    vbroadcastss ymm22, dword ptr [rax + rsi + 16]
    vmovaps ymm23, ymm7
    vfmadd213ps ymm23, ymm19, ymm4
    vmulps ymm24, ymm22, ymm8
    vaddps ymm23, ymm23, ymm24
    vfmadd231ps ymm23, ymm5, dword ptr [rax + rsi + 20]{1to8}
    vfmadd231ps ymm23, ymm18, ymm2
    vmulps ymm24, ymm21, ymm9
    vaddps ymm23, ymm23, ymm24
    vfmadd231ps ymm23, ymm1, dword ptr [rax + rsi + 44]{1to8}
    vfmadd231ps ymm23, ymm16, ymm0
    vmulps ymm24, ymm20, ymm11
    vaddps ymm23, ymm23, ymm24
    vfmadd231ps ymm23, ymm3, dword ptr [rax + rsi + 68]{1to8}
    vfmadd231ps ymm14, ymm6, ymm3
    vmovups ymmword ptr [rdx - 96], ymm14
    vmulps ymm14, ymm11, ymm6
    vmulps ymm24, ymm9, ymm10
    vmulps ymm25, ymm8, ymm12
    vfmadd213ps ymm17, ymm7, ymm4
    vaddps ymm17, ymm25, ymm17
    vfmadd231ps ymm17, ymm19, ymm5
    vfmadd231ps ymm17, ymm2, ymm15
    vaddps ymm15, ymm24, ymm17
    vfmadd231ps ymm15, ymm18, ymm1
    vfmadd231ps ymm15, ymm0, ymm13
    vaddps ymm13, ymm14, ymm15
    vfmadd231ps ymm13, ymm16, ymm3
    vmovups ymmword ptr [rdx - 64], ymm13
    vmulps ymm11, ymm16, ymm11
    vmulps ymm9, ymm18, ymm9
    vmulps ymm8, ymm19, ymm8
    vfmadd213ps ymm7, ymm12, ymm4
    vaddps ymm4, ymm8, ymm7
    vfmadd231ps ymm4, ymm22, ymm5
    vfmadd231ps ymm4, ymm10, ymm2
    vaddps ymm2, ymm9, ymm4
    vfmadd231ps ymm2, ymm21, ymm1
    vfmadd231ps ymm2, ymm6, ymm0
    vaddps ymm0, ymm11, ymm2
    vfmadd231ps ymm0, ymm20, ymm3
    vmovups ymmword ptr [rdx - 32], ymm0
    vmovups ymmword ptr [rdx], ymm23
    sub rdx, -128
    add rsi, 24
    cmp rsi, 96
    jne .L0
    vzeroupper
    ret
