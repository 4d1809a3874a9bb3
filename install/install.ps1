# Installs the Neural Style Transfer filter for GIMP 3 on Windows. In PowerShell:
#
#     powershell -ExecutionPolicy Bypass -File install\install.ps1
#     powershell -ExecutionPolicy Bypass -File install\install.ps1 --uninstall
#
# This script only finds a Python that can run install.py, which does the work.
# Not yet tried on a real Windows; install.py's Windows paths are covered by tests.

$ErrorActionPreference = 'Stop'
$script = Join-Path $PSScriptRoot 'install.py'
$env:PYTHONHOME = $null
$env:PYTHONPATH = $null
$env:PYTHONUTF8 = '1'

function Test-Python([string[]] $command) {
    try {
        $program, $rest = $command
        & $program @rest -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>$null | Out-Null
        return $LASTEXITCODE -eq 0
    } catch {
        return $false
    }
}

# The 'python' of a bare Windows only opens the Store; it fails the test.
foreach ($command in @(@('py', '-3'), @('python3'), @('python'))) {
    if (Test-Python $command) {
        $program, $rest = $command
        & $program @rest $script @args
        exit $LASTEXITCODE
    }
}

# No Python at all: uv, a single program, can fetch one.
$folder = $null
$uv = (Get-Command uv -ErrorAction SilentlyContinue).Source
try {
    if (-not $uv) {
        $folder = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
        New-Item -ItemType Directory $folder | Out-Null
        $installer = Join-Path $folder 'uv.ps1'
        try {
            Invoke-WebRequest -UseBasicParsing https://astral.sh/uv/install.ps1 -OutFile $installer
            $env:UV_UNMANAGED_INSTALL = $folder
            & powershell -ExecutionPolicy Bypass -File $installer | Out-Null
        } catch {
            Write-Verbose "uv could not be fetched: $_"
        } finally {
            $env:UV_UNMANAGED_INSTALL = $null
        }
        $uv = Join-Path $folder 'uv.exe'
    }
    if (Test-Path $uv) {
        $env:PATH = "$(Split-Path $uv);$env:PATH"
        & $uv run --quiet --no-project --python 3.12 python $script @args
        exit $LASTEXITCODE
    }
} finally {
    if ($folder) { Remove-Item -Recurse -Force $folder -ErrorAction SilentlyContinue }
}

[Console]::Error.WriteLine('Error: No Python 3.9 or newer was found, and none could be downloaded.')
[Console]::Error.WriteLine('Install Python 3.12 from python.org, then run this again.')
exit 1
