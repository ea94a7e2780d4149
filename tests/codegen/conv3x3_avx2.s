# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rdx, qword ptr [rdi + 16]
    add rdx, 96
    xor esi, esi
.L0:
    vmovaps ymm3, ymmword ptr [rcx + 288]
    vbroadcastss ymm1, dword ptr [rax + rsi + 12]
    vmovaps ymm2, ymmword ptr [rcx]
    vmovaps ymm4, ymmword ptr [rcx + 32]
    vmovaps ymm0, ymmword ptr [rcx + 64]
    vmovaps ymm5, ymm2
    vmovaps ymm6, ymm2
    vbroadcastss ymm7, dword ptr [rax + rsi]
    vfmadd213ps ymm7, ymm2, ymm3
    vbroadcastss ymm8, dword ptr [rax + rsi + 16]
    vmulps ymm9, ymm8, ymm4
    vfmadd213ps ymm2, ymm1, ymm3
    vbroadcastss ymm10, dword ptr [rax + rsi + 8]
    vfmadd213ps ymm5, ymm10, ymm3
    vaddps ymm9, ymm9, ymm2
    vmulps ymm2, ymm1, ymm4
    vbroadcastss ymm11, dword ptr [rax + rsi + 4]
    vaddps ymm2, ymm2, ymm5
    vfmadd213ps ymm6, ymm11, ymm3
    vmulps ymm3, ymm10, ymm4
    vmulps ymm4, ymm11, ymm4
    vaddps ymm3, ymm3, ymm6
    vaddps ymm5, ymm4, ymm7
    vbroadcastss ymm6, dword ptr [rax + rsi + 20]
    vmovaps ymm7, ymmword ptr [rcx + 96]
    vfmadd231ps ymm5, ymm0, ymm10
    vbroadcastss ymm4, dword ptr [rax + rsi + 36]
    vfmadd231ps ymm3, ymm0, ymm1
    vfmadd231ps ymm2, ymm0, ymm8
    vbroadcastss ymm1, dword ptr [rax + rsi + 40]
    vfmadd213ps ymm6, ymm0, ymm9
    vmovaps ymm0, ymmword ptr [rcx + 128]
    vbroadcastss ymm8, dword ptr [rax + rsi + 32]
    vfmadd231ps ymm6, ymm4, ymm7
    vmulps ymm9, ymm0, ymm1
    vbroadcastss ymm10, dword ptr [rax + rsi + 28]
    vfmadd231ps ymm2, ymm8, ymm7
    vmulps ymm11, ymm4, ymm0
    vfmadd231ps ymm3, ymm10, ymm7
    vmulps ymm12, ymm8, ymm0
    vaddps ymm6, ymm9, ymm6
    vbroadcastss ymm9, dword ptr [rax + rsi + 24]
    vfmadd213ps ymm9, ymm7, ymm5
    vaddps ymm5, ymm11, ymm2
    vmulps ymm0, ymm10, ymm0
    vaddps ymm0, ymm9, ymm0
    vmovaps ymm7, ymmword ptr [rcx + 160]
    vaddps ymm2, ymm12, ymm3
    vfmadd231ps ymm0, ymm7, ymm8
    vbroadcastss ymm8, dword ptr [rax + rsi + 44]
    vfmadd231ps ymm2, ymm7, ymm4
    vbroadcastss ymm3, dword ptr [rax + rsi + 60]
    vmovaps ymm4, ymmword ptr [rcx + 192]
    vfmadd231ps ymm5, ymm7, ymm1
    vbroadcastss ymm1, dword ptr [rax + rsi + 64]
    vmovaps ymm9, ymmword ptr [rcx + 224]
    vfmadd213ps ymm8, ymm7, ymm6
    vmulps ymm6, ymm9, ymm1
    vbroadcastss ymm7, dword ptr [rax + rsi + 56]
    vfmadd231ps ymm8, ymm3, ymm4
    vfmadd231ps ymm5, ymm7, ymm4
    vbroadcastss ymm10, dword ptr [rax + rsi + 52]
    vaddps ymm6, ymm8, ymm6
    vmulps ymm8, ymm9, ymm3
    vfmadd231ps ymm2, ymm10, ymm4
    vmulps ymm11, ymm9, ymm7
    vaddps ymm5, ymm8, ymm5
    vbroadcastss ymm8, dword ptr [rax + rsi + 48]
    vfmadd213ps ymm8, ymm4, ymm0
    vaddps ymm0, ymm11, ymm2
    vmulps ymm2, ymm9, ymm10
    vaddps ymm2, ymm8, ymm2
    vmovaps ymm4, ymmword ptr [rcx + 256]
    vfmadd231ps ymm2, ymm4, ymm7
    vfmadd231ps ymm0, ymm4, ymm3
    vbroadcastss ymm3, dword ptr [rax + rsi + 68]
    vfmadd231ps ymm5, ymm4, ymm1
    vfmadd213ps ymm3, ymm4, ymm6
    vmovups ymmword ptr [rdx - 96], ymm2
    vmovups ymmword ptr [rdx - 64], ymm0
    vmovups ymmword ptr [rdx - 32], ymm5
    vmovups ymmword ptr [rdx], ymm3
    sub rdx, -128
    add rsi, 24
    cmp rsi, 96
    jne .L0
    vzeroupper
    ret
