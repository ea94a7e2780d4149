# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rax, qword ptr [rdi]
    mov rsi, qword ptr [rdi + 8]
    mov rcx, qword ptr [rdi + 16]
    vbroadcastss ymm0, dword ptr [rsi + 16]
    vbroadcastss ymm1, dword ptr [rsi]
    mov rdx, qword ptr [rdi + 24]
    vmovaps ymm2, ymmword ptr [rax]
    vfmadd213ps ymm2, ymm1, ymmword ptr [rax + 256]
    vfmadd231ps ymm2, ymm0, ymmword ptr [rax + 128]
    vbroadcastss ymm0, dword ptr [rsi + 24]
    vbroadcastss ymm1, dword ptr [rsi + 8]
    vmulps ymm1, ymm1, ymmword ptr [rax + 64]
    vfmadd231ps ymm1, ymm0, ymmword ptr [rax + 192]
    vbroadcastss ymm0, dword ptr [rsi + 20]
    vbroadcastss ymm3, dword ptr [rsi + 4]
    vmulps ymm3, ymm3, ymmword ptr [rax + 32]
    vfmadd231ps ymm3, ymm0, ymmword ptr [rax + 160]
    vbroadcastss ymm0, dword ptr [rsi + 28]
    vbroadcastss ymm4, dword ptr [rsi + 12]
    vmulps ymm4, ymm4, ymmword ptr [rax + 96]
    vaddps ymm1, ymm2, ymm1
    vfmadd231ps ymm4, ymm0, ymmword ptr [rax + 224]
    vaddps ymm0, ymm3, ymm4
    vaddps ymm1, ymm1, ymm0
    vxorps xmm0, xmm0, xmm0
    vmaxps ymm1, ymm0, ymm1
    vmovaps ymmword ptr [rdx], ymm1
    vextractf128 xmm2, ymm1, 1
    vbroadcastss ymm2, xmm2
    vbroadcastss ymm3, xmm1
    vmovaps ymm4, ymmword ptr [rax + 288]
    vfmadd213ps ymm4, ymm3, ymmword ptr [rax + 544]
    vfmadd231ps ymm4, ymm2, ymmword ptr [rax + 416]
    vshufps ymm2, ymm1, ymm1, 170
    vpermpd ymm2, ymm2, 170
    vshufpd xmm3, xmm1, xmm1, 1
    vbroadcastss ymm3, xmm3
    vmulps ymm3, ymm3, ymmword ptr [rax + 352]
    vfmadd231ps ymm3, ymm2, ymmword ptr [rax + 480]
    vmovshdup ymm2, ymm1
    vpermpd ymm2, ymm2, 170
    vmovshdup xmm5, xmm1
    vbroadcastss ymm5, xmm5
    vmulps ymm5, ymm5, ymmword ptr [rax + 320]
    vfmadd231ps ymm5, ymm2, ymmword ptr [rax + 448]
    vshufps ymm2, ymm1, ymm1, 255
    vpermpd ymm2, ymm2, 170
    vshufps xmm1, xmm1, xmm1, 255
    vbroadcastss ymm1, xmm1
    vmulps ymm1, ymm1, ymmword ptr [rax + 384]
    vfmadd231ps ymm1, ymm2, ymmword ptr [rax + 512]
    vaddps ymm2, ymm4, ymm3
    vaddps ymm1, ymm5, ymm1
    vaddps ymm1, ymm2, ymm1
    vmaxps ymm0, ymm0, ymm1
    vmovaps ymmword ptr [rdx + 64], ymm0
    vmulps ymm0, ymm0, ymmword ptr [rax + 576]
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
