# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    vbroadcastss ymm0, dword ptr [rcx + 28]
    vbroadcastss ymm1, dword ptr [rcx + 12]
    vmulps ymm1, ymm1, ymmword ptr [rax + 96]
    vfmadd231ps ymm1, ymm0, ymmword ptr [rax + 224]
    vbroadcastss ymm0, dword ptr [rcx + 20]
    vbroadcastss ymm2, dword ptr [rcx + 4]
    vmulps ymm2, ymm2, ymmword ptr [rax + 32]
    vfmadd231ps ymm2, ymm0, ymmword ptr [rax + 160]
    vbroadcastss ymm0, dword ptr [rcx + 24]
    vbroadcastss ymm3, dword ptr [rcx + 8]
    vmulps ymm3, ymm3, ymmword ptr [rax + 64]
    vfmadd231ps ymm3, ymm0, ymmword ptr [rax + 192]
    vbroadcastss ymm0, dword ptr [rcx]
    mov rdx, qword ptr [rdi + 16]
    vmovaps ymm4, ymmword ptr [rax]
    vfmadd213ps ymm4, ymm0, ymmword ptr [rax + 256]
    vbroadcastss ymm0, dword ptr [rcx + 16]
    vfmadd231ps ymm4, ymm0, ymmword ptr [rax + 128]
    vaddps ymm0, ymm1, ymm2
    vaddps ymm1, ymm3, ymm4
    vaddps ymm0, ymm0, ymm1
    vmovups ymmword ptr [rdx], ymm0
    vzeroupper
    ret
