# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rdx, qword ptr [rdi + 16]
    add rdx, 96
    xor esi, esi
    vxorps xmm0, xmm0, xmm0
.L0:
    vmovaps ymm6, ymmword ptr [rax + 288]
    vbroadcastss ymm3, dword ptr [rcx + rsi + 12]
    vmovaps ymm8, ymmword ptr [rax]
    vmovaps ymm4, ymmword ptr [rax + 32]
    vmovaps ymm2, ymmword ptr [rax + 64]
    vmovaps ymm1, ymmword ptr [rax + 96]
    vmovaps ymm5, ymm8
    vmovaps ymm7, ymm8
    vbroadcastss ymm10, dword ptr [rcx + rsi]
    vfmadd213ps ymm10, ymm8, ymm6
    vmovaps ymm9, ymm8
    vbroadcastss ymm8, dword ptr [rcx + rsi + 16]
    vmovaps ymm11, ymm4
    vfmadd213ps ymm9, ymm3, ymm6
    vfmadd213ps ymm11, ymm8, ymm0
    vbroadcastss ymm12, dword ptr [rcx + rsi + 8]
    vfmadd213ps ymm5, ymm12, ymm6
    vmovaps ymm13, ymm4
    vbroadcastss ymm14, dword ptr [rcx + rsi + 4]
    vfmadd213ps ymm13, ymm3, ymm0
    vfmadd213ps ymm7, ymm14, ymm6
    vmovaps ymm15, ymm4
    vfmadd213ps ymm15, ymm12, ymm0
    vaddps ymm11, ymm9, ymm11
    vfmadd213ps ymm4, ymm14, ymm0
    vbroadcastss ymm14, dword ptr [rcx + rsi + 20]
    vaddps ymm9, ymm13, ymm5
    vaddps ymm6, ymm10, ymm4
    vbroadcastss ymm4, dword ptr [rcx + rsi + 36]
    vaddps ymm7, ymm15, ymm7
    vfmadd231ps ymm6, ymm2, ymm12
    vbroadcastss ymm5, dword ptr [rcx + rsi + 40]
    vfmadd231ps ymm7, ymm2, ymm3
    vfmadd231ps ymm9, ymm2, ymm8
    vmovaps ymm3, ymmword ptr [rax + 128]
    vmovaps ymm8, ymm3
    vfmadd213ps ymm14, ymm2, ymm11
    vfmadd213ps ymm8, ymm5, ymm0
    vbroadcastss ymm10, dword ptr [rcx + rsi + 32]
    vfmadd231ps ymm14, ymm4, ymm1
    vmovaps ymm2, ymm3
    vbroadcastss ymm11, dword ptr [rcx + rsi + 28]
    vfmadd231ps ymm9, ymm10, ymm1
    vfmadd213ps ymm2, ymm4, ymm0
    vfmadd231ps ymm7, ymm11, ymm1
    vmovaps ymm12, ymm3
    vaddps ymm8, ymm14, ymm8
    vfmadd213ps ymm12, ymm10, ymm0
    vbroadcastss ymm13, dword ptr [rcx + rsi + 24]
    vaddps ymm2, ymm9, ymm2
    vfmadd213ps ymm13, ymm1, ymm6
    vfmadd213ps ymm3, ymm11, ymm0
    vaddps ymm1, ymm13, ymm3
    vaddps ymm3, ymm12, ymm7
    vmovaps ymm6, ymmword ptr [rax + 160]
    vbroadcastss ymm7, dword ptr [rcx + rsi + 44]
    vfmadd231ps ymm1, ymm6, ymm10
    vfmadd231ps ymm3, ymm6, ymm4
    vbroadcastss ymm4, dword ptr [rcx + rsi + 60]
    vfmadd231ps ymm2, ymm6, ymm5
    vmovaps ymm9, ymmword ptr [rax + 192]
    vbroadcastss ymm5, dword ptr [rcx + rsi + 64]
    vfmadd213ps ymm7, ymm6, ymm8
    vmovaps ymm6, ymmword ptr [rax + 224]
    vmovaps ymm8, ymm6
    vfmadd213ps ymm8, ymm5, ymm0
    vfmadd231ps ymm7, ymm4, ymm9
    vbroadcastss ymm10, dword ptr [rcx + rsi + 56]
    vmovaps ymm11, ymm6
    vfmadd231ps ymm2, ymm10, ymm9
    vfmadd213ps ymm11, ymm4, ymm0
    vbroadcastss ymm12, dword ptr [rcx + rsi + 52]
    vaddps ymm7, ymm8, ymm7
    vfmadd231ps ymm3, ymm12, ymm9
    vmovaps ymm8, ymm6
    vfmadd213ps ymm8, ymm10, ymm0
    vaddps ymm2, ymm11, ymm2
    vbroadcastss ymm11, dword ptr [rcx + rsi + 48]
    vfmadd213ps ymm11, ymm9, ymm1
    vaddps ymm1, ymm8, ymm3
    vfmadd213ps ymm6, ymm12, ymm0
    vaddps ymm3, ymm11, ymm6
    vmovaps ymm6, ymmword ptr [rax + 256]
    vfmadd231ps ymm3, ymm6, ymm10
    vfmadd231ps ymm1, ymm6, ymm4
    vbroadcastss ymm4, dword ptr [rcx + rsi + 68]
    vfmadd231ps ymm2, ymm6, ymm5
    vfmadd213ps ymm4, ymm6, ymm7
    vmovups ymmword ptr [rdx - 96], ymm3
    vmovups ymmword ptr [rdx - 64], ymm1
    vmovups ymmword ptr [rdx - 32], ymm2
    vmovups ymmword ptr [rdx], ymm4
    sub rdx, -128
    add rsi, 24
    cmp rsi, 96
    jne .L0
    vzeroupper
    ret
