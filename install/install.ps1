# Installs the Neural Style Transfer filter for GIMP 3 on Windows: right-click, Run with PowerShell.
# Or in a terminal:
#
#     powershell -ExecutionPolicy Bypass -File install\install.ps1
#     powershell -ExecutionPolicy Bypass -File install\install.ps1 --uninstall
#
# This script only finds a Python that can run install.py, which does the work, and keeps its window
# open until what it has said is read (not with --yes). Nobody has run it on a real Windows yet; a
# test reads it with a PowerShell grammar, and the decisions of install.py for Windows are tested.

$ErrorActionPreference = 'Stop'
$program_file = Join-Path $PSScriptRoot 'install.py'
$arguments = @($args)
$env:PYTHONHOME = $null
$env:PYTHONPATH = $null
$env:PYTHONUTF8 = '1'
$status = 1

# Python 3.9 or newer, and not the Microsoft Store's, whose files GIMP cannot find.
$question = 'import sys; sys.exit(sys.version_info < (3, 9) or ''WindowsApps'' in sys.executable)'

function Test-Python([string[]] $command) {
    $program = $command[0]
    $rest = @($command | Select-Object -Skip 1)
    try {
        & $program @rest -c $question 2>$null | Out-Null
        return $LASTEXITCODE -eq 0
    } catch {
        return $false
    }
}

# The 'python' of a bare Windows only opens the Store; it fails the test.
function Find-Python {
    foreach ($command in @(@('py', '-3'), @('python3'), @('python'))) {
        if (Test-Python $command) {
            return , $command
        }
    }
    return $null
}

# uv, a single program, can fetch a Python; into $folder, if it is not there already.
function Get-Uv([string] $folder) {
    $found = Get-Command uv -ErrorAction SilentlyContinue
    if ($found) {
        return $found.Source
    }
    New-Item -ItemType Directory $folder | Out-Null
    $installer = Join-Path $folder 'uv.ps1'
    try {
        [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
        Invoke-WebRequest -UseBasicParsing https://astral.sh/uv/install.ps1 -OutFile $installer
        $env:UV_UNMANAGED_INSTALL = $folder
        & powershell -NoProfile -ExecutionPolicy Bypass -File $installer | Out-Null
    } catch {
        Write-Verbose "uv could not be fetched: $_"
    } finally {
        $env:UV_UNMANAGED_INSTALL = $null
    }
    return Join-Path $folder 'uv.exe'
}

# Its programs write to the window itself, so nothing may take what this function puts out.
function Start-Installer {
    $command = Find-Python
    if ($command) {
        $program = $command[0]
        $rest = @($command | Select-Object -Skip 1)
        & $program @rest $program_file @arguments
        $script:status = $LASTEXITCODE
        return
    }
    $folder = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
    try {
        $uv = Get-Uv $folder
        if (Test-Path $uv) {
            $env:PATH = "$(Split-Path $uv);$env:PATH"
            & $uv run --quiet --no-project --python 3.12 python $program_file @arguments
            $script:status = $LASTEXITCODE
            return
        }
    } finally {
        Remove-Item -Recurse -Force $folder -ErrorAction SilentlyContinue
    }
    Write-Host 'Error: No Python 3.9 or newer was found, and none could be downloaded.'
    Write-Host 'Install Python 3.12 from python.org, then run this again.'
}

try {
    Start-Installer
} catch {
    Write-Host "Error: $_"
    Write-Host 'Install Python 3.12 from python.org, then run this again.'
}
if (-not ($arguments -contains '--yes') -and -not [Console]::IsInputRedirected) {
    Write-Host ''
    Read-Host 'Press Enter to close this window' | Out-Null
}
exit $status
