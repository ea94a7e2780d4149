# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    vbroadcastss ymm0, dword ptr [rax + 28]
    vbroadcastss ymm1, dword ptr [rax + 12]
    vmulps ymm1, ymm1, ymmword ptr [rcx + 96]
    vfmadd231ps ymm1, ymm0, ymmword ptr [rcx + 224]
    vbroadcastss ymm0, dword ptr [rax + 20]
    vbroadcastss ymm2, dword ptr [rax + 4]
    vmulps ymm2, ymm2, ymmword ptr [rcx + 32]
    vfmadd231ps ymm2, ymm0, ymmword ptr [rcx + 160]
    vbroadcastss ymm0, dword ptr [rax + 24]
    vbroadcastss ymm3, dword ptr [rax + 8]
    vmulps ymm3, ymm3, ymmword ptr [rcx + 64]
    vfmadd231ps ymm3, ymm0, ymmword ptr [rcx + 192]
    vbroadcastss ymm0, dword ptr [rax]
    mov rdx, qword ptr [rdi + 16]
    vmovaps ymm4, ymmword ptr [rcx]
    vfmadd213ps ymm4, ymm0, ymmword ptr [rcx + 256]
    vbroadcastss ymm0, dword ptr [rax + 16]
    vfmadd231ps ymm4, ymm0, ymmword ptr [rcx + 128]
    vaddps ymm0, ymm1, ymm2
    vaddps ymm1, ymm3, ymm4
    vaddps ymm0, ymm0, ymm1
    vmovups ymmword ptr [rdx], ymm0
    vzeroupper
    ret
