# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi + 8]
    vbroadcastss ymm0, dword ptr [rax + 16]
    vbroadcastss ymm1, dword ptr [rax]
    mov rcx, qword ptr [rdi]
    vmovaps ymm2, ymmword ptr [rcx]
    vfmadd213ps ymm2, ymm1, ymmword ptr [rcx + 256]
    vfmadd231ps ymm2, ymm0, ymmword ptr [rcx + 128]
    vbroadcastss ymm0, dword ptr [rax + 24]
    vbroadcastss ymm1, dword ptr [rax + 8]
    vmulps ymm1, ymm1, ymmword ptr [rcx + 64]
    vfmadd231ps ymm1, ymm0, ymmword ptr [rcx + 192]
    vbroadcastss ymm0, dword ptr [rax + 20]
    vbroadcastss ymm3, dword ptr [rax + 4]
    vmulps ymm3, ymm3, ymmword ptr [rcx + 32]
    vfmadd231ps ymm3, ymm0, ymmword ptr [rcx + 160]
    vbroadcastss ymm0, dword ptr [rax + 28]
    vbroadcastss ymm4, dword ptr [rax + 12]
    vmulps ymm4, ymm4, ymmword ptr [rcx + 96]
    vfmadd231ps ymm4, ymm0, ymmword ptr [rcx + 224]
    mov rax, qword ptr [rdi + 16]
    vaddps ymm0, ymm2, ymm1
    vaddps ymm1, ymm3, ymm4
    vaddps ymm0, ymm0, ymm1
    vmovups ymmword ptr [rax], ymm0
    vzeroupper
    ret
